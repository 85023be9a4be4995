"""Whether the glyphs of a font look like letters: a comparison with well-known ones."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFont

Drawing = tuple[tuple[int, int], bytes]  # width and height, and the pixels

# Correlation. Of 257 fonts of a Debian machine, script hands had 0.14 and more, the dingbats of
# URW 0.11, letters on the keys of a keyboard -0.04.
LEAST_LIKENESS = 0.12

_COMPARED = "ABCDEFGHKLMNPRSTUVXZ23456789"
_REFERENCES = ("DejaVuSans.ttf", "DejaVuSans-BoldOblique.ttf", "DejaVuSerif-BoldItalic.ttf")
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
    shapes = _shapes(drawn)
    return max(float((shapes * reference).sum(1).mean()) for reference in _references())


@lru_cache(maxsize=1)
def _references() -> list[np.ndarray]:
    return [_shapes(drawings(str(matplotlib_folder() / name))) for name in _REFERENCES]


def _shapes(drawn: dict[str, Drawing]) -> np.ndarray:
    """Return ``(28, 256)``, the ink of each compared character at one size, of norm 1."""
    rows = []
    for size, pixels in map(drawn.__getitem__, _COMPARED):
        image = Image.frombytes("L", size, pixels)
        ink = image.crop(image.getbbox()).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR)
        row = np.asarray(ink, float).ravel()
        row = row - row.mean()
        rows.append(row / max(1e-6, float(np.linalg.norm(row))))
    return np.stack(rows)
