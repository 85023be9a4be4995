"""What cameras, scanners and compression do to an image: blur, low resolution, noise, JPEG."""

from __future__ import annotations

import io
import random

import numpy as np
from PIL import Image, ImageFilter

from dctc.data.presets import Preset

_MOTIONS = (  # directions of a motion blur: columns and rows per step
    (1, 0),
    (0, 1),
    (1, 1),
    (1, -1),
)


def degrade(
    image: np.ndarray,
    preset: Preset,
    dice: random.Random,
    rng: np.random.Generator,
    strokes: tuple[float, float],
    pitch: float,
    stretch: float,
) -> np.ndarray:
    """Wear an image down as far as it stays readable.

    Args:
        image: ``(3, h, w)`` float32, about in [0, 255].
        preset: How often what happens, and how strongly.
        dice: Gives single numbers.
        rng: Gives noise.
        strokes: Width of the letters' strokes in pixels, along rows and along columns; blur hides
            thinner ones sooner.
        pitch: Pixels per character, which bounds how far the width may be reduced.
        stretch: By how much more the word was stretched in width than in height; so were the
            pixels of the photograph, and with them its blur.

    Returns:
        ``(h, w, 3)`` uint8.
    """
    height, width = image.shape[1:]
    picture = Image.fromarray(_levels(image).transpose(1, 2, 0).copy())
    unit = height / 32
    if dice.random() < preset.blur:
        # Beyond about half of a stroke's width a Gaussian fills the gaps between strokes.
        sigma = dice.uniform(0.2, 1) * preset.max_blur * unit
        across, sigma = (
            min(spread, 0.4 * stroke + 0.2 * unit)
            for spread, stroke in zip((sigma * stretch, sigma), strokes, strict=True)
        )
        picture = picture.filter(ImageFilter.GaussianBlur((across, sigma)))
    if dice.random() < preset.motion and min(strokes) > 1.8 * unit:
        picture = _moved(picture, *dice.choice(_MOTIONS))
    if dice.random() < preset.low_resolution:
        lines = dice.uniform(*preset.lines) / 32
        lines = max(lines, min(1.0, 1.0 / strokes[1]))
        rows = round(height * lines)
        # At least 5 pixels per character: fewer do not tell m from n
        columns = round(
            min(width, max(width * lines / stretch, 5 * width / pitch, width / strokes[0]))
        )
        down = dice.choice((Image.Resampling.BILINEAR, Image.Resampling.BOX))
        picture = picture.resize((columns, rows), down)
        if dice.random() < preset.noise / 2:  # the sensor's noise, enlarged with the picture
            picture = Image.fromarray(_noisy(picture, dice, rng, preset.max_noise / 2))
        up = dice.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        picture = picture.resize((width, height), up)
    if dice.random() < preset.noise:
        picture = Image.fromarray(_noisy(picture, dice, rng, preset.max_noise))
    if dice.random() < preset.fax:
        picture = Image.fromarray(_faxed(picture, dice, rng))
    if dice.random() < preset.jpeg:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=dice.randint(*preset.quality))
        picture = Image.open(file)
    return np.array(picture)


def _levels(image: np.ndarray) -> np.ndarray:
    return np.clip(image, 0, 255).astype(np.uint8)


def _noisy(
    picture: Image.Image, dice: random.Random, rng: np.random.Generator, most: float
) -> np.ndarray:
    noise = rng.standard_normal((picture.height, picture.width), np.float32)
    noise *= np.float32(dice.uniform(0.1, 1) * most)
    planes = np.asarray(picture, np.float32).transpose(2, 0, 1)
    if dice.random() < 0.5:  # of brightness
        return _levels(planes + noise).transpose(1, 2, 0).copy()
    # Of each colour: the same numbers, but far from each other, at a third of the cost
    colours = np.stack([noise, np.roll(noise, 1234), np.roll(noise, 2345)])
    return _levels(planes + colours).transpose(1, 2, 0).copy()


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
