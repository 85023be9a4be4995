"""Which characters a font file really draws, and whether it is a font for text at all."""

from __future__ import annotations

import re
import string
import struct
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from dctc.data.render.likeness import (
    LEAST_LIKENESS,
    MOST_MISTAKEN,
    MOST_SMALL_MISTAKEN,
    drawings,
    likeness,
    mistaken,
)

CAPITALS = string.ascii_uppercase + string.digits  # a text font draws each of these as itself
# Glyph names that say nothing about the glyph: CID-keyed and generated fonts name by number.
_NUMBERED = re.compile(r"[A-Za-z]{0,6}_?\d+")
# What fontTools and FreeType raise on damaged files, besides TTLibError
_DAMAGED = (OSError, EOFError, AssertionError, LookupError, ValueError, TypeError, struct.error)


class Typeface(NamedTuple):
    """What a file holds.

    Attributes:
        family: Name that all styles of the typeface share; empty if it cannot be read.
        characters: The characters that it draws as themselves, none if it is not for text. Beyond
            ASCII those that it claims; whether they have ink is seen when they are asked for.
        reason: Why it is not to be used; empty if it is.
        damaged: The reason is that it cannot be read.
        capitals: Words in its capitals can be read, see :func:`mistaken`.
    """

    family: str
    characters: frozenset[str]
    reason: str = ""
    damaged: bool = False
    capitals: bool = True


def examine(path: Path) -> Typeface:
    """Read a font file; of a collection (``.ttc``) its first face.

    Not for text is a font without the ASCII capitals and digits, or whose glyphs for them have
    other names (``turnstileright`` for ``a``), are shared, blank or alike, or look like no letters
    or like other ones.
    """
    state = path.stat()
    return _examine(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _examine(path: Path, changed: int, size: int) -> Typeface:
    from fontTools.ttLib import TTLibError

    try:
        return _read(path)
    except (*_DAMAGED, TTLibError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Typeface("", frozenset(), f"cannot be read ({reason})", damaged=True)


def _read(path: Path) -> Typeface:
    from fontTools.ttLib import TTFont

    # Opened here, since fontTools leaves a file open that is no font
    with path.open("rb") as stream, TTFont(stream, lazy=True, fontNumber=0) as file:
        glyph_of: dict[int, str] = file.getBestCmap() or {}
        family = file["name"].getBestFamilyName() or path.stem

    def refused(reason: str) -> Typeface:
        return Typeface(family, frozenset(), reason)

    missing = [c for c in CAPITALS if ord(c) not in glyph_of]
    if missing:
        return refused(f"no glyph for {''.join(missing)[:10]}")
    misnamed = [c for c in CAPITALS if not _names(glyph_of[ord(c)], c)]
    if misnamed:
        return refused(f"glyph {glyph_of[ord(misnamed[0])]!r} in the place of {misnamed[0]}")
    if len({glyph_of[ord(c)] for c in CAPITALS}) < len(CAPITALS):
        return refused("one glyph for several letters")
    drawn = drawings(str(path))
    blank = [c for c in CAPITALS if c not in drawn]
    if blank:
        return refused(f"blank glyph for {''.join(blank)[:10]}")
    if len({drawn[c] for c in "ABC17"}) < 5:
        return refused("letters that all look alike")
    if likeness(drawn) < LEAST_LIKENESS:
        return refused("its letters look like no letters")
    printable = [c for c in map(chr, glyph_of) if c.isprintable() and not c.isspace()]
    right = {c for c in printable if c.isascii() and c in drawn and _names(glyph_of[ord(c)], c)}
    if not right.issuperset(string.ascii_lowercase):
        return refused("other glyphs in the place of small letters")
    # A small letter drawn as its capital is none: it would be a wrong label where case counts
    small = {c for c in string.ascii_lowercase if drawn[c] == drawn[c.upper()]}
    if small.issuperset("abdeg"):
        right -= set(string.ascii_lowercase)
        printable = [c for c in printable if not c.islower()]
    elif mistaken(drawn, string.ascii_lowercase) > MOST_SMALL_MISTAKEN:
        return refused("most of its small letters look like others")
    capitals = mistaken(drawn) <= MOST_MISTAKEN
    if all(c in right for c in printable if c.isascii()):
        return Typeface(family, frozenset(printable), capitals=capitals)
    # TeX's encodings put other glyphs where ASCII has <, > or {; there only the names are certain,
    # but for the dollar: in Computer Modern Italic it is a pound sign by that name.
    return Typeface(family, frozenset(right - {"$"}), capitals=capitals)


def _names(glyph: str, character: str) -> bool:
    """Say whether a glyph of that name may be ``character``, after Adobe's Glyph List."""
    from fontTools import agl

    plain = glyph.split(".")[0]  # "a.alt" is an "a"
    named = agl.toUnicode(plain)
    if named or agl.toUnicode(plain, isZapfDingbats=True):  # dingbats are called a1, a2, ...
        return named == character
    return bool(_NUMBERED.fullmatch(glyph))
