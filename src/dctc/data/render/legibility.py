"""Whether a drawn word can still be read: how much of its letters is left in the finished image."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dctc.data.render.colours import LUMINANCE

# Ours, by eye on sheets of words in the order of these two measures. Below them most words could
# not be read; strong blur, noise, glare or faint ink alone stay above.
LEAST_LIKENESS = 0.83
LEAST_CONTRAST = 8.0  # levels

_NEAR = 1 / 4  # of the height: in so large a surrounding a letter stands out from its ground


def letters_left(pixels: np.ndarray, letters: np.ndarray) -> tuple[float, float]:
    """Compare a finished image with its letters, each less the mean of its surroundings.

    Args:
        pixels: ``(h, w, 3)`` uint8.
        letters: ``(h, w)`` in levels, the word in plain colours on a plain ground.

    Returns:
        The correlation of the two, which blur, noise and texture lower; and the standard deviation
        of that part of the image which is proportional to the letters, in levels.
    """
    h, w = letters.shape
    wide = np.empty((2, h // 2, w), np.float32)
    rows = np.add(pixels[: h // 2 * 2 : 2], pixels[1::2], dtype=np.uint16)
    np.matmul(rows, LUMINANCE, out=wide[0])
    np.add(letters[: h // 2 * 2 : 2], letters[1::2], out=wide[1])
    # Pairs of rows, and of columns, because a reader's eye takes the mean over fine grain, too
    images = (wide[..., : w // 2 * 2 : 2] + wide[..., 1::2]) / 4
    around = _means(h // 2, h) @ images @ _means(w // 2, h).T
    seen, drawn = images - around
    common = float(np.vdot(seen, drawn)) / max(1e-6, float(np.linalg.norm(drawn)))
    likeness = common / max(1e-6, float(np.linalg.norm(seen)))
    return likeness, common / float(drawn.size) ** 0.5


def is_legible(pixels: np.ndarray, letters: np.ndarray) -> bool:
    """Say whether enough of the letters is left; arguments as of :func:`letters_left`."""
    likeness, contrast = letters_left(pixels, letters)
    return likeness >= LEAST_LIKENESS and contrast >= LEAST_CONTRAST


@lru_cache(maxsize=16)
def _means(size: int, height: int) -> np.ndarray:
    """Return ``(size, size)``: its product with pixels is the mean of each one's surroundings."""
    places = np.arange(size)
    near = np.abs(places[:, None] - places) <= _NEAR * height / 2
    return (near / near.sum(1, keepdims=True)).astype(np.float32)
