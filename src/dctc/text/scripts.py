"""Scripts of characters: which are set one by one, which join or stack, which run right to left."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Literal

Writing = Literal["single", "shaped", "unknown"]

# Scripts (ISO 15924) whose characters are set side by side as they are, and those that a shaping
# library sets without reordering or merging across a syllable. All others, such as those of India,
# are unknown here: which part of the ink is which character cannot be told.
SINGLE = frozenset(
    "Zyyy Zinh Zzzz Latn Grek Cyrl Copt Glag Goth Armn Geor Ethi Cher Cans Ogam Runr Brai Tfng "
    "Hani Hira Kana Bopo Hang Yiii Lisu Ital".split()
)
SHAPED = frozenset("Arab Hebr Syrc Thaa Thai Laoo".split())
_MERGED = "\u0622\u0623\u0625\u0627"  # forms of alef: one sign with a lam before them
_LAM = "\u0644"


@lru_cache(maxsize=1 << 15)
def writing(character: str) -> Writing:
    """Return whether a character can be set on its own, has to be shaped, or is of neither kind."""
    if character.isascii():
        return "single"
    from fontTools.unicodedata import script  # here, because most texts are ASCII

    code = script(character)
    if code not in SINGLE | SHAPED or "\u1100" <= character <= "\u11ff":  # parts of Hangul
        return "unknown"
    joined = code in SHAPED or is_mark(character) or is_right_to_left(character)
    return "shaped" if joined else "single"


def is_shaped(text: str) -> bool:
    """Return whether a text has a character that joins, stacks or runs from right to left."""
    return not text.isascii() and any(writing(c) == "shaped" for c in text)


def is_mark(character: str) -> bool:
    """Return whether a character is drawn on the one before it, as an accent is."""
    return not character.isascii() and unicodedata.category(character)[0] == "M"


def is_right_to_left(text: str) -> bool:
    """Return whether a text of one direction runs from right to left."""
    return not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text)


def disorder(text: str) -> str:
    r"""Return why a text of drawable characters is not drawn; empty if it is.

    Letters and digits of both directions need an order that their places in the text do not tell.

    Example:
        >>> disorder("\u05d01")
        'letters and digits of both directions'
    """
    if text.isascii():
        return ""
    if is_mark(text[0]):
        return "a combining mark without a letter before it"
    left = any(c.isdecimal() or unicodedata.bidirectional(c) == "L" for c in text)
    return "letters and digits of both directions" if left and is_right_to_left(text) else ""


def clusters(text: str) -> list[int]:
    r"""Return where the clusters of a text begin: a letter with its marks, or a lam with its alef.

    Example:
        >>> clusters("e\u0301a")
        [0, 2]
    """
    return [
        i
        for i, c in enumerate(text)
        if i == 0 or not (is_mark(c) or (c in _MERGED and text[i - 1] == _LAM))
    ]
