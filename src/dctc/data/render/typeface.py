"""Check a font file: whether it is a text font, and which characters it covers."""

from __future__ import annotations

import re
import string
import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

from dctc.data.render.glyphs import has_ink

# Width and height of a drawn character, and its pixels
Drawing = tuple[tuple[int, int], bytes]

CAPITALS = string.ascii_uppercase + string.digits  # a text font draws each of these as itself
# Least correlation with letters of known fonts. Of 257 fonts of a Debian machine, script hands had
# 0.14 and more, the dingbats of URW 0.11, letters on the keys of a keyboard -0.04.
LEAST_LIKENESS = 0.12
# Letters of 26 that may look more like another one. Of the 255 text fonts of the same machine 30,
# ornate scripts, blackletter and untidy hands, have more such capitals; of small letters the 7 that
# are hardest to read, hands and swashes, have 19 to 23 and joined scripts up to 17.
MOST_MISTAKEN, MOST_SMALL_MISTAKEN = 8, 18

# Glyph names that say nothing about the glyph: CID-keyed and generated fonts name by number
_NUMBERED = re.compile(r"[A-Za-z]{0,6}_?\d+")
# What fontTools and FreeType raise on damaged files, besides TTLibError
_DAMAGED = (OSError, EOFError, AssertionError, LookupError, ValueError, TypeError, struct.error)

_COMPARED = "ABCDEFGHKLMNPRSTUVXZ23456789"
_REFERENCES = ("DejaVuSans.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSerif-BoldItalic.ttf")
_MODELS = (*_REFERENCES, "DejaVuSerif.ttf", "cmtt10.ttf", "STIXGeneralItalic.ttf")
_SIDE = 16  # pixels, to which the ink of each glyph is scaled for a comparison


@dataclass(frozen=True)
class Font:
    """One font file.

    Attributes:
        path: The file; of a collection (``.ttc``) its first face is used.
        characters: The characters that it draws as themselves, none if it is not for text. Beyond
            ASCII, those that it claims to draw. No others are drawn with it.
        family: Name that regular, bold and all other styles of a typeface share; empty if it cannot
            be read.
        capitals: Words in its capitals can be read, see :func:`mistaken`. False for scripts, whose
            capitals only begin words.
        reason: Why it is not used; empty if it is.
        damaged: The file cannot be read.
    """

    path: str
    characters: frozenset[str]
    family: str = ""
    capitals: bool = True
    reason: str = ""
    damaged: bool = False

    def covers(self, text: str) -> bool:
        """Return whether the font draws every character of ``text``, none of them blank."""
        # examine() has checked ASCII for blanks; tens of thousands of others would take too long
        return self.characters.issuperset(text) and all(
            c.isascii() or has_ink(self.path, c) for c in text
        )


def examine(path: Path) -> Font:
    """Read a font file; of a collection (``.ttc``) its first face.

    A font is not for text if it lacks ASCII capitals or digits, or if its glyphs for them have
    other names (``turnstileright`` for ``a``), are shared, blank or alike, or look like no letters
    or like other letters.
    """
    state = path.stat()
    return _examine(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4096)
def _examine(path: Path, changed: int, size: int) -> Font:
    from fontTools.ttLib import TTLibError

    try:
        return _read(path)
    except (*_DAMAGED, TTLibError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        unread = f"cannot be read ({reason})"
        return Font(str(path), frozenset(), reason=unread, damaged=True)


def _read(path: Path) -> Font:
    from fontTools.ttLib import TTFont

    # Opened here, since fontTools leaves a file open that is no font
    with path.open("rb") as stream, TTFont(stream, lazy=True, fontNumber=0) as file:
        glyph_of: dict[int, str] = file.getBestCmap() or {}
        family = file["name"].getBestFamilyName() or path.stem

    def refused(reason: str) -> Font:
        return Font(str(path), frozenset(), family, reason=reason)

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
        return Font(str(path), frozenset(printable), family, capitals)
    # TeX's encodings put other glyphs where ASCII has <, > or {; there only the names are certain,
    # except the dollar's: in Computer Modern Italic it is a pound sign by that name.
    return Font(str(path), frozenset(right - {"$"}), family, capitals)


def _names(glyph: str, character: str) -> bool:
    """Return whether a glyph of that name may be ``character``, by Adobe's Glyph List."""
    from fontTools import agl

    plain = glyph.split(".")[0]  # "a.alt" is an "a"
    named = agl.toUnicode(plain)
    if named or agl.toUnicode(plain, isZapfDingbats=True):  # dingbats are called a1, a2, ...
        return named == character
    return bool(_NUMBERED.fullmatch(glyph))


def matplotlib_folder() -> Path:
    """Return the folder of the fonts that come with matplotlib."""
    import matplotlib  # here, because it is slow to load and not needed with a folder of fonts

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def drawings(path: str) -> dict[str, Drawing]:
    """Draw each ASCII character of a font file; blank ones are left out."""
    face = ImageFont.truetype(path, 24, layout_engine=ImageFont.Layout.BASIC)
    masks = {c: face.getmask(c) for c in map(chr, range(33, 127))}
    return {c: (m.size, bytes(m)) for c, m in masks.items() if m.getbbox() is not None}


def likeness(drawn: dict[str, Drawing]) -> float:
    """Return the mean correlation, -1 to 1, of capitals and digits with the likest known font."""
    shapes = _shapes(drawn, _COMPARED)
    return max(
        float((shapes * reference).sum(1).mean())
        for reference in _references(_REFERENCES, _COMPARED)
    )


def mistaken(drawn: dict[str, Drawing], letters: str = string.ascii_uppercase) -> int:
    """Return how many letters look more like another letter, of any of six known fonts.

    Fonts with many such capitals are made for small letters with a capital in front: words in
    capitals of swash letters cannot be read.
    """
    shapes = _shapes(drawn, letters)
    alike = np.stack([shapes @ r.T for r in _references(_MODELS, letters)])
    return int((alike.max(0).argmax(1) != np.arange(len(shapes))).sum())


@lru_cache(maxsize=3)
def _references(names: tuple[str, ...], characters: str) -> list[np.ndarray]:
    return [_shapes(drawings(str(matplotlib_folder() / name)), characters) for name in names]


def _shapes(drawn: dict[str, Drawing], characters: str) -> np.ndarray:
    """Return ``(k, 256)``: the ink of each of k characters at one size, of mean 0 and norm 1."""
    rows = []
    for size, pixels in map(drawn.__getitem__, characters):
        image = Image.frombytes("L", size, pixels)
        ink = image.crop(image.getbbox()).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        row = np.asarray(ink, float).ravel()
        row = row - row.mean()
        rows.append(row / max(1e-6, float(np.linalg.norm(row))))
    return np.stack(rows)
