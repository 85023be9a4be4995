"""Conversion of official archives to LMDB, and commands that inspect sets."""
