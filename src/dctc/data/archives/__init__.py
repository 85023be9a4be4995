"""Official archives to LMDB, and tools that look at sets."""
