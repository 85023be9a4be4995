"""Results: the registry of runs, and the tables and figures drawn from it."""
