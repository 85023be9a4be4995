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
