"""One word to one image: drawn, distorted and squashed to the recogniser's input size."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from dctc.data.fonts import Font

# All magnitudes below are ours, chosen by eye beside crops of real scene text.
SIZES = range(24, 37, 3)  # pixels per em; a word is drawn at about the size that it ends up with
MAX_ROTATION = 4.0  # degrees, of words as high as wide; longer ones less
MAX_SHEAR = 0.25
MAX_TAPER = 0.25  # perspective: one end of the word is this much larger than the middle
MAX_MARGIN = (0.15, 0.15)  # of the word's height: beside it, above and below it
MIN_CONTRAST = 70.0  # luminance levels between ink and background
LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@lru_cache(maxsize=512)
def _face(path: str, size: int) -> ImageFont.FreeTypeFont:
    # BASIC: the layout then does not depend on whether Pillow was built with Raqm
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


class WordRenderer:
    """Draws words as images of one size.

    Args:
        fonts: Fonts to choose from, evenly.
        height: Pixels of the image.
        width: Pixels of the image. Words of any length are squashed or stretched to it, as crops
            of scene text are on their way into a recogniser.
        distort: False draws black on white, upright, filling the image.
    """

    def __init__(
        self, fonts: Sequence[Font], height: int = 32, width: int = 128, distort: bool = True
    ) -> None:
        self.fonts, self.height, self.width, self.distort = tuple(fonts), height, width, distort

    def fonts_for(self, text: str) -> list[Font]:
        """Return the fonts that draw all characters of ``text``.

        Raises:
            ValueError: If there is none.
        """
        fonts = [font for font in self.fonts if font.covers(text)]
        if fonts:
            return fonts
        nowhere = [c for c in text if not any(font.covers(c) for font in self.fonts)]
        what = (
            f"character {nowhere[0]!r} (U+{ord(nowhere[0]):04X}) is in no font"
            if nowhere
            else f"no single font has all characters of {text!r}"
        )
        raise ValueError(
            f"{what}; tried {', '.join(font.path for font in self.fonts)}; "
            f"give a folder with a font that has them"
        )

    def render(self, text: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``text``.

        Args:
            text: s characters, at least one.
            rng: All that is random comes from it.

        Returns:
            Image ``(h, w, 3)`` uint8 and extents ``(s, 2)`` float32: the left and right limit of
            each character in pixels of the image, at half the height of a small letter. The
            characters tile the word: each begins where the one before it ends.

        Raises:
            ValueError: If no font has all characters of the text, or there is no character.
        """
        if not text:
            raise ValueError("render: the text is empty; give at least one character")
        fonts = self.fonts_for(text)
        # Python's generator, seeded by numpy's, because it is ten times faster for single numbers
        dice = random.Random(int(rng.integers(1 << 62)))
        size = dice.choice(SIZES)
        face = _face(dice.choice(fonts).path, size)
        outline = self.distort and dice.random() < 0.1
        ink, left, baseline = _draw(text, face, 0)
        around = _draw(text, face, 2)[0] if outline else None
        # Where each character begins, and where the last one ends; prefixes, to include kerning
        limits = left + np.array([face.getlength(text[:i]) for i in range(len(text) + 1)])
        middle = np.stack([limits, np.full_like(limits, baseline - size / 4)])  # (2, s + 1)
        # A full stop or a dash is not blown up to fill the image: the crop holds some line height.
        line = np.array([[limits.mean()] * 2, [baseline, baseline - size / 2]])
        if self.distort:
            matrix, canvas = _random_homography(dice, ink.size)
            ink, around = _warp(ink, matrix, canvas), around and _warp(around, matrix, canvas)
            middle, line = _apply(matrix, middle), _apply(matrix, line)
        box = self._crop_box(around or ink, line[1], dice)
        extents = np.clip((middle[0] - box[0]) * (self.width / (box[2] - box[0])), 0, self.width)
        masks = [self._resize(mask, box, dice) for mask in (ink, around) if mask is not None]
        image = self._colour(masks, dice, rng) if self.distort else 255 - masks[0][..., None]
        pixels = np.broadcast_to(image, (self.height, self.width, 3)).astype(np.uint8)
        return pixels, np.stack([extents[:-1], extents[1:]], axis=1).astype(np.float32)

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
        x, y = (share * (bottom - top) for share in MAX_MARGIN)
        return (
            left - round(x * dice.random()),
            top - round(y * dice.random()),
            right + round(x * dice.random()),
            bottom + round(y * dice.random()),
        )

    def _resize(
        self, mask: Image.Image, box: tuple[int, int, int, int], dice: random.Random
    ) -> np.ndarray:
        """Return the box of a mask at the image's size, ``(h, w)`` uint8, perhaps blurred."""
        mask = mask.crop(box)
        if self.distort and dice.random() < 0.25:  # a small or distant word
            share = dice.uniform(0.4, 0.8)
            small = (max(8, int(mask.width * share)), max(12, int(mask.height * share)))
            mask = mask.resize(small, Image.Resampling.BILINEAR)
        mask = mask.resize((self.width, self.height), Image.Resampling.BILINEAR)
        if self.distort and dice.random() < 0.3:
            mask = mask.filter(ImageFilter.GaussianBlur(dice.uniform(0.3, 1.0)))
        return np.asarray(mask)

    def _colour(
        self, masks: list[np.ndarray], dice: random.Random, rng: np.random.Generator
    ) -> np.ndarray:
        """Return ``(h, w, 3)`` float32 in [0, 255] of the ink over the outline over a ground."""
        ground, colour = _colour_pair(dice)
        contrast = abs(float((colour - ground) @ LUMINANCE))
        image = np.broadcast_to(ground, (self.height, self.width, 3))
        kind = dice.random()
        if kind < 0.6:  # never by so much that the ink vanishes
            shade = self._gradient(dice) if kind < 0.35 else self._texture(rng)  # (h, w) in [-1, 1]
            image = image + (0.45 * contrast * dice.random()) * shade[..., None]
        if len(masks) == 2:
            paper = 255.0 if float(colour @ LUMINANCE) < 128 else 0.0
            image = image + (paper - image) * (masks[1][..., None] / np.float32(255))
        image = image + (colour - image) * (masks[0][..., None] / np.float32(255))
        if dice.random() < 0.4:
            noise = rng.standard_normal((self.height, self.width, 1), np.float32)
            image = image + noise * dice.uniform(2, 12)
        return np.clip(image, 0, 255)

    def _gradient(self, dice: random.Random) -> np.ndarray:
        across = np.linspace(-1, 1, self.width, dtype=np.float32) * dice.uniform(-1, 1)
        down = np.linspace(-1, 1, self.height, dtype=np.float32) * dice.uniform(-1, 1)
        return (across[None, :] + down[:, None]) / 2

    def _texture(self, rng: np.random.Generator) -> np.ndarray:
        coarse = Image.fromarray(rng.uniform(-1, 1, (4, 10)).astype(np.float32))
        return np.asarray(coarse.resize((self.width, self.height), Image.Resampling.BICUBIC))


def _draw(text: str, face: ImageFont.FreeTypeFont, stroke: int) -> tuple[Image.Image, int, int]:
    """Return the ink as an image of mode L, and the pen's start in it: left end and baseline."""
    ascent, descent = face.getmetrics()
    border = int(face.size) // 2  # letters may lean over their advance, and accents over the ascent
    size = (int(face.getlength(text)) + 2 * border, ascent + descent + 2 * border)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).text(
        (border, border + ascent), text, 255, face, anchor="ls", stroke_width=stroke
    )
    return mask, border, border + ascent


def _random_homography(
    dice: random.Random, size: tuple[int, int]
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return a homography ``(3, 3)`` of a mask's pixels, and the size that holds all of them."""
    w, h = size
    angle = np.deg2rad(dice.uniform(-1, 1) * MAX_ROTATION * min(1.0, 3 * h / w))
    shear = dice.uniform(-1, 1) * MAX_SHEAR * (dice.random() < 0.5)
    taper = dice.uniform(-1, 1) * MAX_TAPER * (dice.random() < 0.5) * 2 / w
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [taper, 0, 1]])
    slant = np.array([[1, -shear, 0], [0, 1, 0], [0, 0, 1]])
    centre = np.array([[1, 0, -w / 2], [0, 1, -h / 2], [0, 0, 1]])
    matrix = turn @ slant @ centre
    corners = _apply(matrix, np.array([[0, w, w, 0], [0, 0, h, h]]))
    low, high = corners.min(1), corners.max(1)
    matrix = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ matrix
    return matrix, (int(high[0] - low[0]) + 1, int(high[1] - low[1]) + 1)


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points ``(2, k)`` by a homography."""
    x, y, scale = matrix @ np.vstack([points, np.ones(points.shape[1])])
    return np.stack([x, y]) / scale


def _warp(mask: Image.Image, matrix: np.ndarray, size: tuple[int, int]) -> Image.Image:
    inverse = np.linalg.inv(matrix)  # Pillow asks where each pixel comes from
    coefficients = (inverse / inverse[2, 2]).ravel()[:8].tolist()
    return mask.transform(
        size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )


def _colour_pair(dice: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Return ground and ink, ``(3,)`` float32 in [0, 255], at least MIN_CONTRAST apart."""
    while True:
        pair = [_colour(dice), _colour(dice)]
        if abs(float((pair[0] - pair[1]) @ LUMINANCE)) >= MIN_CONTRAST:
            return pair[0], pair[1]


def _colour(dice: random.Random) -> np.ndarray:
    """Return a colour, two in five a grey."""
    if dice.random() < 0.4:
        return np.full(3, dice.uniform(0, 255), np.float32)
    return np.array([dice.uniform(0, 255) for _ in range(3)], np.float32)
