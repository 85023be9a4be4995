"""Colours of ink and ground, patterns that vary them, and whether the ink is still legible."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image

from dctc.data.render.presets import Preset

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_ROUNDING = 0.01  # levels: margin for rounding to single precision

# Limits of legibility; ours, by eye on sheets of words in the order of these two measures. Below
# them most words could not be read; strong blur, noise, glare or faint ink alone stay above.
LEAST_LIKENESS = 0.83
LEAST_CONTRAST = 8.0  # levels
_NEAR = 1 / 4  # of the height: in so large a surrounding a letter stands out from its ground


def colour_pair(dice: random.Random, preset: Preset) -> tuple[np.ndarray, np.ndarray]:
    """Return ground and ink, ``(3,)`` float32, at least ``preset.contrast`` levels apart."""
    least = preset.contrast
    if dice.random() < 0.6:  # most signs are made to be seen
        least = max(least, dice.uniform(least, 130))
    while True:
        spread = preset.chroma[dice.choice((0, 0, 1, 1, 2))]
        ground = _colour(dice, dice.uniform(*preset.ground), spread)
        ink = _colour(dice, dice.uniform(*preset.ink), spread)
        if abs(_luminance(*ink) - _luminance(*ground)) >= least + _ROUNDING:
            return np.array(ground, np.float32), np.array(ink, np.float32)


def colour_apart(dice: random.Random, preset: Preset, ink: np.ndarray) -> np.ndarray:
    """Return a colour, ``(3,)``, ``preset.contrast`` levels away from the ink's."""
    brightness = float(LUMINANCE @ ink)
    while True:
        level = dice.choice((10.0, 245.0, dice.uniform(0, 255)))
        colour = _colour(dice, level, dice.choice(preset.chroma))
        if abs(_luminance(*colour) - brightness) >= preset.contrast + _ROUNDING:
            return np.array(colour, np.float32)


def pattern(dice: random.Random, rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Return a random pattern ``(h, w)`` float32 in [-1, 1]: a gradient, an edge or a texture."""
    kind = dice.random()
    if kind < 0.35:
        return gradient(dice, height, width)
    if kind < 0.5:  # the border of a sign, or of something in front of it
        slope = gradient(dice, height, width)
        return np.where(slope > dice.uniform(-0.3, 0.3), np.float32(1), np.float32(-1))
    # Clouds, stripes of cloth and wood, plaster: blotches of any size and shape
    rows = max(2, round(height * dice.choice((0.06, 0.12, 0.25, 0.6))))
    columns = max(2, round(width * dice.choice((0.03, 0.08, 0.2, 0.6))))
    blotches = rng.standard_normal((rows, columns), np.float32) / 2
    smooth = Image.fromarray(blotches).resize((width, height), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(smooth), -1, 1)


def gradient(dice: random.Random, height: int, width: int) -> np.ndarray:
    """Return a linear ramp ``(h, w)`` float32 in [-1, 1], of a random direction."""
    across = _ramp(width) * np.float32(dice.uniform(-0.5, 0.5))
    down = _ramp(height) * np.float32(dice.uniform(-0.5, 0.5))
    return across[None, :] + down[:, None]


@lru_cache(maxsize=8)
def _ramp(length: int) -> np.ndarray:
    return np.linspace(-1, 1, length, dtype=np.float32)


def _colour(dice: random.Random, luminance: float, spread: float) -> tuple[float, float, float]:
    """Return a colour of about that luminance; clipping may change it."""
    red, green, blue = dice.gauss(0, spread), dice.gauss(0, spread), dice.gauss(0, spread)
    grey = luminance - _luminance(red, green, blue)
    return _clipped(red + grey), _clipped(green + grey), _clipped(blue + grey)


def _luminance(red: float, green: float, blue: float) -> float:
    """Return what LUMINANCE @ colour is; for three numbers numpy takes far longer."""
    return 0.299 * red + 0.587 * green + 0.114 * blue


def _clipped(level: float) -> float:
    return min(255.0, max(0.0, level))


def letters_left(pixels: np.ndarray, letters: np.ndarray) -> tuple[float, float]:
    """Measure how much of the letters is left in an image, after subtracting local means.

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
    # Means of 2 x 2 pixels, because a reader's eye averages fine grain too
    images = (wide[..., : w // 2 * 2 : 2] + wide[..., 1::2]) / 4
    around = _means(h // 2, h) @ images @ _means(w // 2, h).T
    seen, drawn = images - around
    common = float(np.vdot(seen, drawn)) / max(1e-6, float(np.linalg.norm(drawn)))
    likeness = common / max(1e-6, float(np.linalg.norm(seen)))
    return likeness, common / float(drawn.size) ** 0.5


def is_legible(pixels: np.ndarray, letters: np.ndarray) -> bool:
    """Return whether the letters are above both limits; arguments as of :func:`letters_left`."""
    likeness, contrast = letters_left(pixels, letters)
    return likeness >= LEAST_LIKENESS and contrast >= LEAST_CONTRAST


@lru_cache(maxsize=16)
def _means(size: int, height: int) -> np.ndarray:
    """Return ``(size, size)``: its product with pixels is the mean of each one's surroundings."""
    places = np.arange(size)
    near = np.abs(places[:, None] - places) <= _NEAR * height / 2
    return (near / near.sum(1, keepdims=True)).astype(np.float32)
