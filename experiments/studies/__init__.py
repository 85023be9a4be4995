"""What the tables and figures compare."""
