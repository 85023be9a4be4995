"""Painter of the preset easy: one line of one font, slightly distorted, well readable."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dctc.data.render.colours import LUMINANCE, gradient
from dctc.data.render.fonts import Font
from dctc.data.render.glyphs import extents_of, prefix_limits
from dctc.data.render.glyphs import face as open_face
from dctc.data.render.layout import project
from dctc.data.render.presets import Easy
from dctc.text.scripts import is_shaped


class EasyPainter:
    """Paints words as images of ``height`` x ``width`` pixels.

    With ``distort=False`` they are black on white, upright, and fill the image.
    """

    def __init__(self, preset: Easy, height: int, width: int, distort: bool = True) -> None:
        self.preset, self.height, self.width, self.distort = preset, height, width, distort

    def paint(
        self, text: str, fonts: Sequence[Font], dice: random.Random, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the image ``(h, w, 3)`` uint8 of a text and its extents ``(s, 2)`` float32."""
        size = dice.choice(self.preset.sizes)
        face = open_face(dice.choice(fonts).path, size, is_shaped(text))
        outline = 2 if self.distort and dice.random() < 0.1 else 0
        masks, left, baseline = _draw(text, face, outline)
        limits = left + prefix_limits(face, text)
        middle = np.stack([limits, np.full_like(limits, baseline - size / 4)])  # (2, s + 1)
        # A full stop or a dash is not blown up to fill the image: the crop holds some line height.
        line = np.array([[limits.mean()] * 2, [baseline, baseline - size / 2]])
        if self.distort:
            matrix, canvas = _random_homography(dice, masks[0].size, self.preset)
            masks = [_warp(mask, matrix, canvas) for mask in masks]
            middle, line = project(matrix, middle), project(matrix, line)
        box = self._crop_box(masks[-1], line[1], dice)
        extents = np.clip((middle[0] - box[0]) * (self.width / (box[2] - box[0])), 0, self.width)
        alphas = self._resize([mask.crop(box) for mask in masks], dice)
        image = self._colour(alphas, dice, rng) if self.distort else 255 - 255 * alphas[0]
        planes = np.broadcast_to(image, (3, self.height, self.width))
        pixels = planes.transpose(1, 2, 0).astype(np.uint8, order="C")
        return pixels, extents_of(extents, text)

    def _crop_box(
        self, mask: Image.Image, line: np.ndarray, dice: random.Random
    ) -> tuple[int, int, int, int]:
        """Return the box of the word with its margins; it may reach over the mask's edges."""
        left, top, right, bottom = mask.getbbox() or (0, 0, *mask.size)
        top, bottom = min(top, int(line.min())), max(bottom, int(line.max()))
        # A lone "i" is not stretched to the whole width
        wanting = max(0, int(0.8 * (bottom - top)) - (right - left)) // 2
        left, right = left - wanting, right + wanting
        if not self.distort:
            return left, top, right, bottom
        x, y = (share * (bottom - top) for share in self.preset.max_margin)
        return (
            left - round(x * dice.random()),
            top - round(y * dice.random()),
            right + round(x * dice.random()),
            bottom + round(y * dice.random()),
        )

    def _resize(self, masks: list[Image.Image], dice: random.Random) -> list[np.ndarray]:
        """Return masks at the image's size, ``(h, w)`` float32 in [0, 1], perhaps blurred."""
        if self.distort and dice.random() < 0.25:  # a small or distant word
            share = dice.uniform(0.4, 0.8)
            w, h = masks[0].size
            small = (max(8, int(w * share)), max(12, int(h * share)))
            masks = [mask.resize(small, Image.Resampling.BILINEAR) for mask in masks]
        size = (self.width, self.height)
        masks = [mask.resize(size, Image.Resampling.BILINEAR) for mask in masks]
        if self.distort and dice.random() < 0.3:
            blur = ImageFilter.GaussianBlur(dice.uniform(0.3, 1.0))
            masks = [mask.filter(blur) for mask in masks]
        return [np.asarray(mask, np.float32) / np.float32(255) for mask in masks]

    def _colour(
        self, alphas: list[np.ndarray], dice: random.Random, rng: np.random.Generator
    ) -> np.ndarray:
        """Return ``(3, h, w)`` float32 in [0, 255] of the ink over its outline over a ground."""
        ground, colour = _colour_pair(dice, self.preset.contrast)
        brightness = float(LUMINANCE @ colour)
        contrast = abs(brightness - float(LUMINANCE @ ground))
        shade = np.zeros((self.height, self.width), np.float32)
        kind = dice.random()
        if kind < 0.6:  # never by so much that the ink vanishes
            size = self.height, self.width
            pattern = gradient(dice, *size) if kind < 0.35 else self._texture(rng)  # in [-1, 1]
            shade += (0.45 * contrast * dice.random()) * pattern
        image = shade + ground[:, None, None]
        if len(alphas) == 2:
            paper = np.float32(255 if brightness < 128 else 0)
            image += (paper - image) * alphas[1]
        image += (colour[:, None, None] - image) * alphas[0]
        if dice.random() < 0.4:
            noise = rng.standard_normal((self.height, self.width), np.float32)
            image += noise * np.float32(dice.uniform(2, 12))
        return np.clip(image, 0, 255, out=image)

    def _texture(self, rng: np.random.Generator) -> np.ndarray:
        coarse = Image.fromarray(rng.uniform(-1, 1, (4, 10)).astype(np.float32))
        return np.asarray(coarse.resize((self.width, self.height), Image.Resampling.BICUBIC))


def _draw(
    text: str, face: ImageFont.FreeTypeFont, outline: int
) -> tuple[list[Image.Image], int, int]:
    """Draw a text into masks hardly larger than its ink.

    Returns:
        The ink and, if ``outline`` is not 0, the ink widened by so many pixels, both of mode L and
        of one size; and where the pen started in them: its x and the baseline's y.
    """
    ascent, descent = face.getmetrics()
    border = int(face.size) // 2  # letters may lean over their advance, and accents over the ascent
    size = (int(face.getlength(text)) + 2 * border, ascent + descent + 2 * border)
    masks = []
    for stroke in (0, outline) if outline else (0,):
        masks.append(Image.new("L", size))
        draw = ImageDraw.Draw(masks[-1])
        draw.text((border, border + ascent), text, 255, face, anchor="ls", stroke_width=stroke)
    left, top, right, bottom = masks[-1].getbbox() or (0, 0, *size)
    box = (left - 2, top - 2, right + 2, bottom + 2)  # Pillow's transform cuts the outermost pixels
    return [mask.crop(box) for mask in masks], border - box[0], border + ascent - box[1]


def _random_homography(
    dice: random.Random, size: tuple[int, int], preset: Easy
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return a homography ``(3, 3)`` of a mask's pixels, and the size that holds all of them."""
    w, h = size
    angle = np.deg2rad(dice.uniform(-1, 1) * preset.max_rotation * min(1.0, 3 * h / w))
    shear = dice.uniform(-1, 1) * preset.max_shear * (dice.random() < 0.5)
    taper = dice.uniform(-1, 1) * preset.max_taper * (dice.random() < 0.5) * 2 / w
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [taper, 0, 1]])
    slant = np.array([[1, -shear, 0], [0, 1, 0], [0, 0, 1]])
    centre = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1]])
    matrix = turn @ slant @ centre
    corners = project(matrix, np.array([[0, w, w, 0], [0, 0, h, h]]))
    low, high = corners.min(1), corners.max(1)
    matrix = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ matrix
    return matrix, (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)


def _warp(mask: Image.Image, matrix: np.ndarray, size: tuple[int, int]) -> Image.Image:
    inverse = np.linalg.inv(matrix)  # Pillow asks where each pixel comes from
    coefficients = (inverse / inverse[2, 2]).ravel()[:8].tolist()
    return mask.transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )


def _colour_pair(dice: random.Random, contrast: float) -> tuple[np.ndarray, np.ndarray]:
    """Return ground and ink, ``(3,)`` float32 in [0, 255], at least ``contrast`` levels apart."""
    while True:
        pair = np.array([_colour(dice), _colour(dice)], np.float32)
        ground, ink = pair @ LUMINANCE
        if abs(ink - ground) >= contrast:
            return pair[0], pair[1]


def _colour(dice: random.Random) -> list[float]:
    """Return red, green and blue; two colours in five are a grey."""
    if dice.random() < 0.4:
        return [dice.uniform(0, 255)] * 3
    return [dice.uniform(0, 255) for _ in range(3)]
