"""Results of runs: registry, data frame, statistics, tables, plots."""
