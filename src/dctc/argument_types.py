"""Types of command-line arguments."""

from __future__ import annotations


def positive(text: str) -> int:
    """Return a whole number above 0.

    Raises:
        ValueError: If it is none; argparse names the argument.
    """
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def names(text: str) -> list[str]:
    """Split a comma-separated argument."""
    return text.split(",")


def seeds(text: str) -> list[int]:
    """Return whole numbers with commas between them.

    Raises:
        ValueError: If one is none; argparse names the argument.
    """
    return [int(seed) for seed in names(text)]
