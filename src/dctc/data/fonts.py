"""Fonts to draw words with: which files, and which characters each of them really draws."""

from __future__ import annotations

import re
import string
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".ttf", ".otf", ".ttc")
_PLAIN = string.ascii_letters + string.digits  # a text font draws each of these as itself
# Glyph names that say nothing about the glyph: CID-keyed and generated fonts name by number.
_NUMBERED = re.compile(r"[A-Za-z]{0,6}_?\d+")
# What fontTools and FreeType raise on damaged files, besides TTLibError
_UNREADABLE = (OSError, EOFError, AssertionError, LookupError, ValueError, TypeError, struct.error)


@dataclass(frozen=True)
class Font:
    """One font file.

    Attributes:
        path: The file; of a collection (``.ttc``) its first face.
        characters: The characters that it draws as themselves. No other is to be drawn with it.
    """

    path: str
    characters: frozenset[str]

    def covers(self, text: str) -> bool:
        """Say whether the font draws every character of ``text``."""
        return self.characters.issuperset(text)


def find_fonts(folder: str | None = None) -> list[Font]:
    """Find the text fonts of a folder, in the order of their paths.

    A font of symbols is left out silently: one without the ASCII letters and digits, or whose
    glyphs for them have other names (``turnstileright`` for ``a``), are shared, blank or alike. A
    file that cannot be read is left out with a warning.

    Args:
        folder: Searched with all its subfolders for .ttf, .otf and .ttc files; None takes the
            fonts that come with matplotlib.

    Returns:
        At least one font.

    Raises:
        ValueError: If there is no such folder or no text font in it.
    """
    root = Path(folder) if folder is not None else _matplotlib_folder()
    if not root.is_dir():
        raise ValueError(f"fonts {str(root)!r}: no such folder; give a folder of font files")
    files = sorted(p for p in root.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    fonts: list[Font] = []
    for file in files:
        try:
            font = _read(file)
        except _UNREADABLE as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            warnings.warn(f"font {file}: cannot be read ({reason}); left out", stacklevel=2)
            continue
        if font is not None:
            fonts.append(font)
    if not fonts:
        raise ValueError(
            f"fonts {str(root)!r}: none of its {len(files)} {'/'.join(SUFFIXES)} files is a text "
            f"font; give a folder with one, or none to use the fonts of matplotlib"
        )
    return fonts


def _matplotlib_folder() -> Path:
    import matplotlib  # here, because it is slow to load and not needed with a folder

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _read(path: Path) -> Font | None:
    """Return the font of a file, or None if it is one of symbols."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, lazy=True, fontNumber=0) as file:
            glyph_of: dict[int, str] = file.getBestCmap() or {}
    except TTLibError as error:
        raise ValueError(error) from error
    named_right = {c for c in _PLAIN if _names(glyph_of.get(ord(c)), c)}
    if len(named_right) < len(_PLAIN) or len({glyph_of[ord(c)] for c in _PLAIN}) < len(_PLAIN):
        return None
    if not _draws_letters(str(path)):
        return None
    printable = [c for c in map(chr, glyph_of) if c.isprintable() and not c.isspace()]
    right = {c for c in printable if c.isascii() and _names(glyph_of[ord(c)], c)}
    if all(c in right for c in printable if c.isascii()):
        return Font(str(path), frozenset(printable))
    # TeX's encodings put other glyphs where ASCII has <, > or {; there only the names are certain,
    # but for the dollar: in Computer Modern Italic it is a pound sign by that name.
    return Font(str(path), frozenset(right - {"$"}))


def _names(glyph: str | None, character: str) -> bool:
    """Say whether a glyph of that name may be ``character``, after Adobe's Glyph List."""
    from fontTools import agl

    if glyph is None:
        return False
    named = agl.toUnicode(glyph.split(".")[0])  # "a.alt" is an "a"
    return named == character or (not named and bool(_NUMBERED.fullmatch(glyph)))


def _draws_letters(path: str) -> bool:
    """Say whether five letters come out as five different drawings."""
    from PIL import ImageFont

    face = ImageFont.truetype(path, 24, layout_engine=ImageFont.Layout.BASIC)
    masks = [face.getmask(letter) for letter in "ABCab"]
    return len({(m.size, bytes(m)) for m in masks}) == len(masks) and all(
        m.getbbox() is not None for m in masks
    )
