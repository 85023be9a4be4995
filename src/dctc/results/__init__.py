"""What a run leaves and what can be said of it: registry, statistics, tables, scores."""
