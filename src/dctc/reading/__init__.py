"""Trained nets at work: read images, export nets, keep their weights in folders."""
