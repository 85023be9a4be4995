"""Runs on disk: their folders and checkpoints, their keys, and the nets that they hold."""
