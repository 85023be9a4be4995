"""Random warp of an image of text: stretch, slant, slope, bend and perspective together."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from PIL import Image

# At strength 1 (ours), as shares of the height unless a comment says otherwise
STRETCH = 0.3  # of a strip's width, both of its edges together
DISTORT = 0.08  # of a strip's width, its upper and its lower edge independently
SHEAR = 0.3  # pixels across per pixel down
SLOPE = 0.16  # how far the ends of the line rise or fall
BEND = 0.14  # how far its middle rises above or falls below its ends
TAPER = 0.16  # of the homography's denominator, at the right edge
TILT = 0.08  # the same at the lower edge
GROW = (0.3, 0.12)  # room beside, and above and below
CUT = 0.04  # what each edge of the image may lose

# At any strength: a line that slopes and bends within its height cannot fill it any more, nor one
# that is slanted within its width, which matters where an image is narrow.
MAX_DRIFT = 0.25
MAX_LEAN = 0.3  # of the width, by which the edges lean
MAX_CUT = 0.06


class Warp(NamedTuple):
    """A map of an image onto itself, bilinear within vertical strips."""

    columns: np.ndarray  # (k + 1,) int, where the strips of the result begin and end, in pixels
    # (2, k + 1, 2), the point (x, y) of the source that is seen at the upper and at the lower end
    # of each of these columns
    source: np.ndarray
    height: int

    def image(self, pixels: np.ndarray) -> np.ndarray:
        """Warp ``(h, w, ch)`` uint8; what lies outside of the source repeats its edge."""
        low, high = self.source.min((0, 1)), self.source.max((0, 1))
        h, w = pixels.shape[:2]
        # Two more on each side, for the bicubic filter
        left, top = (2 + max(0, math.ceil(-v)) for v in low)
        right, bottom = (2 + max(0, math.ceil(v)) for v in high - (w, h))
        rows = np.clip(np.arange(-top, h + bottom), 0, h - 1)
        across = np.clip(np.arange(-left, w + right), 0, w - 1)
        padded = pixels.take(rows, 0).take(across, 1)
        picture = Image.fromarray(padded[..., 0] if padded.shape[2] == 1 else padded)
        ends = (self.source + np.array([left, top])).tolist()
        mesh = [
            # Pillow's order: left upper, left lower, right lower, right upper
            ((a, 0, b, self.height), (*ends[0][i], *ends[1][i], *ends[1][i + 1], *ends[0][i + 1]))
            for i, (a, b) in enumerate(pairwise(self.columns.tolist()))
        ]
        warped = picture.transform((w, h), Image.Transform.MESH, mesh, Image.Resampling.BICUBIC)
        return np.array(warped).reshape(pixels.shape)

    def extents(self, extents: np.ndarray) -> np.ndarray:
        """Map extents ``(s, 2)`` of characters along the middle line of the source."""
        (upper, lower), middle = self.source, self.height / 2
        share = (middle - upper[:, 1]) / (lower[:, 1] - upper[:, 1])
        x = upper[:, 0] + share * (lower[:, 0] - upper[:, 0])  # (k + 1,) where it is crossed
        return np.interp(extents, x, self.columns).astype(np.float32)


def random_warp(rng: np.random.Generator, strength: float, height: int, width: int) -> Warp:
    """Draw a warp that keeps the whole line within the image, up to a rim of a pixel or two.

    The strength is above 0, 1 is usual; the width is that of the valid pixels.
    """
    strips = max(1, round(2 * width / height))
    columns = np.linspace(0, width, strips + 1).round().astype(int)
    both, own = rng.uniform(-1, 1, strips), rng.uniform(-1, 1, (2, strips))
    # The spread is that of logarithms, so that no strip vanishes at any strength
    widths = np.diff(columns) * np.exp(strength * (STRETCH * both + DISTORT * own))
    x = np.zeros((2, strips + 1))  # of the source, in [-1, 1], for the upper and the lower edge
    np.cumsum(widths, 1, out=x[:, 1:])
    x = 2 * x / x[:, -1:] - 1
    y = np.array([[-1.0], [1.0]])
    shear, slope, bend, taper, tilt = strength * rng.triangular(-1, 0, 1, 5)
    drift = abs(SLOPE * slope) + abs(BEND * bend)
    calm = 2 * min(1.0, MAX_DRIFT / drift) if drift else 0.0
    depth = 1 + TAPER * taper * x + TILT * tilt * y
    lean = np.clip(SHEAR * shear * height / width, -MAX_LEAN, MAX_LEAN)
    across = (x + lean * y) / depth
    down = (y + calm * (SLOPE * slope * x + BEND * bend * (x * x - 0.5))) / depth
    grow, cut = strength * np.array(GROW), min(strength * CUT, MAX_CUT)
    # left and top, then right and bottom; beside a narrow image no more than its width allows
    rims = rng.uniform(-cut, grow, (2, 2)) * (min(width, height), height)
    # What every column, and every row, of the result has to show
    across = _fit(across, across[:, 0].max(), across[:, -1].min(), width, *rims[:, 0])
    down = _fit(down, down[0].max(), down[1].min(), height, *rims[:, 1])
    return Warp(columns, np.stack([across, down], 2), height)


def _fit(
    values: np.ndarray, low: float, high: float, size: int, before: float, after: float
) -> np.ndarray:
    """Map ``low`` to ``before`` pixels left of the source, ``high`` to ``after`` right of it."""
    return (values - low) * ((size + before + after) / (high - low)) - before
