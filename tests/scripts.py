"""The scripts of experiments as modules."""

import importlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def load(name):
    """Return ``experiments/<name>.py``."""
    return importlib.import_module(f"experiments.{name}")
