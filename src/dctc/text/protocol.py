"""Evaluation protocols: pure functions ``str -> str`` applied to predictions and labels alike.

A protocol folds away the differences that a benchmark does not count. It is applied to labels when
a set is indexed, and to both sides when a prediction is scored.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable

Protocol = Callable[[str], str]

_NOT_ALPHANUMERIC = re.compile("[^0-9a-zA-Z]")
_NOT_PRINTABLE = re.compile(f"[^0-9a-zA-Z{re.escape(string.punctuation)}]")


def english36(text: str) -> str:
    """Lower-case, then keep ASCII letters and digits: the usual English word-accuracy protocol.

    Example:
        >>> english36("It's 5 PM")
        'its5pm'
    """
    return english62(text).lower()


def english62(text: str) -> str:
    """Keep ASCII letters and digits, case-sensitive.

    Example:
        >>> english62("It's 5 PM")
        'Its5PM'
    """
    return _NOT_ALPHANUMERIC.sub("", text)


def english94(text: str) -> str:
    """Keep printable ASCII without spaces, case-sensitive.

    Example:
        >>> english94("It's 5 PM")
        "It's5PM"
    """
    return _NOT_PRINTABLE.sub("", text)


def verbatim(text: str) -> str:
    """Change nothing.

    Example:
        >>> verbatim("a b")
        'a b'
    """
    return text


PROTOCOLS: dict[str, Protocol] = {
    "english36": english36,
    "english62": english62,
    "english94": english94,
    "verbatim": verbatim,
}


def get_protocol(name: str) -> Protocol:
    """Return the protocol called ``name``.

    Raises:
        ValueError: If there is none; the message lists those that exist.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol {name!r}: not one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
