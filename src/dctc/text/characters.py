"""Unicode characters of labels: their normal form, and how messages show them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# NFC replaces these by unified ideographs, which may be drawn otherwise (U+F92C is not U+90CE). The
# published alphabet of the Chinese benchmark holds both of such pairs, as classes of their own.
_COMPATIBILITY_IDEOGRAPHS = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")


def normal_form(text: str) -> str:
    r"""Compose accents: Unicode's NFC, but for CJK compatibility ideographs, which stay.

    Every label, prediction and charset passes it, so that an accent is the same character whether
    a keyboard, a file name of macOS or a spreadsheet wrote it.

    Example:
        >>> normal_form("Mu\u0308ller") == "M\u00fcller"
        True
    """
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    parts = _COMPATIBILITY_IDEOGRAPHS.split(text)  # every second one is of such characters
    parts[::2] = [unicodedata.normalize("NFC", part) for part in parts[::2]]
    return "".join(parts)


def shown(characters: Iterable[str], most: int = 10) -> str:
    r"""Return characters as a message shows them, invisible and combining ones by code point.

    Args:
        characters: Each of them once.
        most: So many are shown, the rest is counted.

    Example:
        >>> shown("ab \u200b\u0301")
        'a b U+0020 U+200B U+0301'
    """
    each = [c if unicodedata.category(c)[0] not in "CMZ" else f"U+{ord(c):04X}" for c in characters]
    more = f" and {len(each) - most:,} more" if len(each) > most else ""
    return " ".join(each[:most]) + more
