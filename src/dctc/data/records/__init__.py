"""A sample, and where it is stored: batches, samplers, LMDBs, folders of images."""
