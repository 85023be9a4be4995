"""Whether the glyphs of a font look like letters: a comparison with well-known ones."""

from __future__ import annotations

import string
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

Drawing = tuple[tuple[int, int], bytes]  # width and height, and the pixels

# Correlation. Of 257 fonts of a Debian machine, script hands had 0.14 and more, the dingbats of
# URW 0.11, letters on the keys of a keyboard -0.04.
LEAST_LIKENESS = 0.12
# Letters of 26 that may look more like another one. Of the 255 text fonts of the same machine 30,
# ornate scripts, blackletter and untidy hands, have more such capitals; of small letters the 7 that
# are hardest to read, hands and swashes, have 19 to 23 and joined scripts up to 17.
MOST_MISTAKEN, MOST_SMALL_MISTAKEN = 8, 18

_COMPARED = "ABCDEFGHKLMNPRSTUVXZ23456789"
_REFERENCES = ("DejaVuSans.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSerif-BoldItalic.ttf")
_MODELS = (*_REFERENCES, "DejaVuSerif.ttf", "cmtt10.ttf", "STIXGeneralItalic.ttf")
_SIDE = 16  # pixels, of the ink of each glyph when they are compared


def matplotlib_folder() -> Path:
    """Return the folder of the fonts that come with matplotlib."""
    import matplotlib  # here, because it is slow to load and not needed with a folder

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def drawings(path: str) -> dict[str, Drawing]:
    """Return the drawing of each ASCII character of a font file that is not blank."""
    face = ImageFont.truetype(path, 24, layout_engine=ImageFont.Layout.BASIC)
    masks = {c: face.getmask(c) for c in map(chr, range(33, 127))}
    return {c: (m.size, bytes(m)) for c, m in masks.items() if m.getbbox() is not None}


def likeness(drawn: dict[str, Drawing]) -> float:
    """Return the correlation of capitals and digits with those of upright or slanted fonts.

    Args:
        drawn: Drawings of at least the capitals and digits.

    Returns:
        Between -1 and 1, the mean over the characters; the best of three fonts.
    """
    shapes = _shapes(drawn, _COMPARED)
    return max(
        float((shapes * reference).sum(1).mean())
        for reference in _references(_REFERENCES, _COMPARED)
    )


def mistaken(drawn: dict[str, Drawing], letters: str = string.ascii_uppercase) -> int:
    """Return how many letters look more like others, of any of six well-known fonts.

    Fonts of which many capitals do are made for small letters with a capital in front: words in
    capitals of swash letters cannot be read.

    Args:
        drawn: Drawings of at least the letters.
        letters: The letters that are compared with each other.
    """
    shapes = _shapes(drawn, letters)
    alike = np.stack([shapes @ r.T for r in _references(_MODELS, letters)])
    return int((alike.max(0).argmax(1) != np.arange(len(shapes))).sum())


@lru_cache(maxsize=3)
def _references(names: tuple[str, ...], characters: str) -> list[np.ndarray]:
    return [_shapes(drawings(str(matplotlib_folder() / name)), characters) for name in names]


def _shapes(drawn: dict[str, Drawing], characters: str) -> np.ndarray:
    """Return ``(k, 256)``, the ink of each of k characters at one size, of norm 1."""
    rows = []
    for size, pixels in map(drawn.__getitem__, characters):
        image = Image.frombytes("L", size, pixels)
        ink = image.crop(image.getbbox()).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        row = np.asarray(ink, float).ravel()
        row = row - row.mean()
        rows.append(row / max(1e-6, float(np.linalg.norm(row))))
    return np.stack(rows)
