"""Unicode characters of labels: their normal form, and how messages show them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

# NFC replaces these by unified ideographs, which may be drawn otherwise (U+F92C is not U+90CE). The
# published charset of the Chinese benchmark holds both of such pairs, as classes of their own.
_COMPATIBILITY_IDEOGRAPHS = re.compile("([\uf900-\ufaff\U0002f800-\U0002fa1f]+)")

# What no image shows, so that no recogniser can read it. Variation selectors are left out (they
# choose between visible forms), and joiners after letters of scripts that are written with them.
PRIVATE = "private-use"  # on images, in fonts of their own, but of no known meaning
_UNSEEN = {
    "control": r"\x00-\x1f\x7f-\x9f\u2028\u2029",
    "bidirectional": r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",
    "invisible": r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u206f\u3164\ufeff\uffa0"
    r"\ufff0-\ufffc\U000e0000-\U000e007f",
    "replacement": r"\ufffd-\uffff",
    PRIVATE: r"\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd",
}
_JOINED = r"\u0600-\u1cff\ufe0f\U0001f000-\U0001faff"  # Arabic to Vedic, emoji
_KINDS = {kind: re.compile(f"[{characters}]") for kind, characters in _UNSEEN.items()}
_KINDS["invisible"] = re.compile(rf"[{_UNSEEN['invisible']}]|(?<![{_JOINED}])[\u200c\u200d]")


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


def by_frequency(counts: Mapping[str, float]) -> list[str]:
    """Return the keys of counts, the most frequent first; equal ones in the order of code points.

    Example:
        >>> by_frequency({"b": 1, "a": 1, "c": 2})
        ['c', 'a', 'b']
    """
    return sorted(counts, key=lambda key: (-counts[key], key))


def listed(things: Sequence[str], most: int, between: str = ", ") -> str:
    """Return names for a message; of more than ``most``, only the first ones and a count.

    Example:
        >>> listed(["a", "b", "c"], 2)
        'a, b and 1 more'
    """
    rest = f" and {len(things) - most:,} more" if len(things) > most else ""
    return between.join(things[:most]) + rest


def shown(characters: Iterable[str]) -> str:
    r"""Return characters as a message shows them, invisible and combining ones by code point.

    Each of them is given once; those beyond the first ten are counted.

    Example:
        >>> shown("ab \u200b\u0301")
        'a b U+0020 U+200B U+0301'
    """
    each = [c if unicodedata.category(c)[0] not in "CMZ" else f"U+{ord(c):04X}" for c in characters]
    return listed(each, 10, " ")


def unseen(text: str) -> str:
    r"""Name the first invisible, bidirectional, control or private-use character of a text.

    Returns:
        Its kind and code point; empty if all characters can be seen.

    Example:
        >>> unseen("hel\u200blo")
        'the invisible character U+200B'
    """
    if text.isascii() and text.isprintable():
        return ""
    for kind, pattern in _KINDS.items():
        if found := pattern.search(text):
            return f"the {kind} character U+{ord(found[0]):04X}"
    return ""


def printed(text: object, keep: str = "") -> str:
    r"""Return a text for the terminal: what is neither printable nor a blank becomes an escape.

    So names and labels can neither move the cursor, colour, reorder or overwrite what is shown.

    Args:
        text: Anything with a ``str``.
        keep: Characters to leave as they are, such as line breaks.

    Example:
        >>> print(printed("a\x1b[2Jb"))
        a\x1b[2Jb
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(
        c
        if c.isprintable() or c in keep or unicodedata.category(c) == "Zs"  # blanks of any width
        else c.encode("unicode_escape").decode()
        for c in shown
    )
