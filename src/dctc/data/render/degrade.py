"""Degrade a drawn image as cameras and scanners do: blur, low resolution, noise, fax, JPEG."""

from __future__ import annotations

import io
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from dctc.data.render.presets import Preset

_MOTIONS = ((1, 0), (0, 1), (1, 1), (1, -1))  # of a motion blur: columns and rows per step


def degrade(
    image: np.ndarray,
    preset: Preset,
    dice: random.Random,
    rng: np.random.Generator,
    strokes: tuple[float, float],
    pitch: float,
    stretch: float,
) -> np.ndarray:
    """Blur, resample, threshold and compress an image, as far as it stays readable.

    Args:
        image: ``(3, h, w)`` float32, about in [0, 255].
        preset: Probability and strength of each effect.
        dice: For scalars.
        rng: For specks.
        strokes: Width of the letters' strokes in pixels, along rows and along columns; blur hides
            thinner ones sooner.
        pitch: Pixels per character, which bounds how far the width may be reduced.
        stretch: By how much more the word was stretched in width than in height; so were the
            pixels of the photograph, and with them its blur.

    Returns:
        ``(h, w, 3)`` uint8.
    """
    height, width = image.shape[1:]
    picture = _picture(image)
    unit = height / 32
    blur = dice.random() < preset.blur
    motion = dice.random() < preset.motion and min(strokes) > 1.8 * unit
    low_resolution = dice.random() < preset.low_resolution
    # Each is as strong as a word bears; of several, whose spreads add up as squares, each is weaker
    share = 1 / max(1, blur + motion + low_resolution) ** 0.5
    if blur:
        # Beyond about half of a stroke's width a Gaussian fills the gaps between strokes.
        sigma = share * dice.uniform(0.2, 1) * preset.max_blur * unit
        across, sigma = (
            min(spread, 0.4 * stroke + 0.2 * unit)
            for spread, stroke in zip((sigma * stretch, sigma), strokes, strict=True)
        )
        picture = picture.filter(ImageFilter.GaussianBlur((across, sigma)))
    if motion:
        picture = _moved(picture, *dice.choice(_MOTIONS))
    if low_resolution:
        lines = 1 / (1 + share * (32 / dice.uniform(*preset.lines) - 1))
        lines = max(lines, min(1.0, 1.0 / strokes[1]))
        rows = round(height * lines)
        # At least 5 pixels per character: fewer do not tell m from n
        columns = round(
            min(width, max(width * lines / stretch, 5 * width / pitch, width / strokes[0]))
        )
        down = dice.choice((Image.Resampling.BILINEAR, Image.Resampling.BOX))
        picture = picture.resize((columns, rows), down)
        if dice.random() < preset.noise / 2:  # the sensor's noise, enlarged with the picture
            picture = _noisy(picture, dice, preset.max_noise / 2)
        up = dice.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        picture = picture.resize((width, height), up)
    if dice.random() < preset.noise:
        picture = _noisy(picture, dice, preset.max_noise)
    if dice.random() < preset.fax:
        picture = Image.fromarray(_faxed(picture, dice, rng))
    if dice.random() < preset.jpeg:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=dice.randint(*preset.quality))
        file.seek(0)
        picture = JpegImageFile(file)  # Image.open would try all formats
    return np.array(picture)


def _picture(image: np.ndarray) -> Image.Image:
    size = image.shape[:0:-1]
    levels = np.clip(image, 0, 255).astype(np.uint8)
    return Image.merge("RGB", [Image.frombuffer("L", size, plane) for plane in levels])


def _noisy(picture: Image.Image, dice: random.Random, most: float) -> Image.Image:
    pixels = picture.width * picture.height
    table = noise_bank(pixels.bit_length())
    strength = np.float32(dice.uniform(0.1, 1) * most)
    planes = []
    for _ in range(1 if dice.random() < 0.5 else 3):  # of brightness, or of each colour
        at = dice.randrange(len(table) - pixels)
        levels = (table[at : at + pixels] * strength + np.float32(128.5)).astype(np.uint8)
        planes.append(Image.frombuffer("L", picture.size, levels))
    grain = Image.merge("RGB", planes * (3 // len(planes)))
    return ImageChops.add(picture, grain, offset=-128)


@lru_cache(maxsize=16)
def noise_bank(bits: int) -> np.ndarray:
    """Return many more than ``2 ** bits`` normal numbers, the same in every process.

    A slice of them from a random place serves as noise; drawing new ones takes longer.
    """
    return np.random.default_rng(0).standard_normal(1 << (bits + 4), np.float32)


def _moved(picture: Image.Image, across: int, down: int) -> Image.Image:
    kernel = [0.0] * 25
    for step in (-2, -1, 0, 1, 2) if across and not down else (-1, 0, 1):
        kernel[12 + step * across + 5 * step * down] = 1.0
    return picture.filter(ImageFilter.Kernel((5, 5), kernel))


def _faxed(picture: Image.Image, dice: random.Random, rng: np.random.Generator) -> np.ndarray:
    gray = np.asarray(picture.convert("L"), np.float32)
    low, high = float(gray.min()), float(gray.max())
    # Nearer to the paper than to the ink, so that thin strokes, which blur made pale, remain
    black = gray < low + dice.uniform(0.45, 0.7) * (high - low)
    specks = rng.random(gray.shape, np.float32) < dice.choice((0.0, 0.002, 0.01))
    page = np.where(black ^ specks, np.float32(0), np.float32(255))
    return np.repeat(page[..., None], 3, 2).astype(np.uint8)
