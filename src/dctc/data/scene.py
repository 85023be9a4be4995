"""Words as photographs of signs or scans of pages show them."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageFilter

from dctc.data.colours import LUMINANCE, colour_apart, colour_pair, gradient, pattern
from dctc.data.degrade import degrade
from dctc.data.fonts import Font
from dctc.data.layout import lay_out_scene
from dctc.data.presets import Preset


class ScenePainter:
    """Paints words as a preset says.

    Args:
        preset: How often what happens.
        height: Pixels of the image.
        width: Pixels of the image.
    """

    def __init__(self, preset: Preset, height: int, width: int) -> None:
        self.preset, self.height, self.width = preset, height, width

    def paint(
        self, text: str, font: Font, dice: random.Random, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the image ``(h, w, 3)`` uint8 of a text and its extents ``(s, 2)`` float32."""
        layout = lay_out_scene(text, font, self.preset, self.height, self.width, dice)
        # Thin letters would drown in a thick rim
        rim = 1 + layout.stroke + dice.randint(0, 1) if dice.random() < self.preset.outline else 0
        strokes = (0, rim) if rim else (0,)
        masks = layout.masks((self.width, self.height), *strokes)
        alphas = [np.asarray(mask, np.float32) / np.float32(255) for mask in masks]
        # Hairlines, thinner than a pixel, are nowhere opaque; a sign's would be made to be seen.
        alphas[0] = alphas[0] * np.float32(min(2.0, 1 / max(0.05, float(alphas[0].max()))))
        image = self._coloured(alphas, dice, rng)
        extents = layout.extents(self.width)
        left, top, right, bottom = layout.box
        stretch = self.width / (right - left) * (bottom - top) / self.height
        pitch = float(extents[-1, 1] - extents[0, 0]) / len(text)
        pixels = degrade(image, self.preset, dice, rng, stroke_widths(alphas[0]), pitch, stretch)
        return pixels, extents

    def _coloured(
        self,
        alphas: list[np.ndarray],
        dice: random.Random,
        rng: np.random.Generator,
    ) -> np.ndarray:
        """Return ``(3, h, w)`` float32, about in [0, 255], of the ink over its ground."""
        preset, size = self.preset, (self.height, self.width)
        ground, ink = (colour[:, None, None] for colour in colour_pair(dice, preset))
        contrast = abs(float(LUMINANCE @ (ink - ground).ravel()))
        image = np.empty((3, *size), np.float32)
        image[:] = ground
        if dice.random() < preset.pattern:  # never by so much that the ink vanishes
            depth = np.float32(0.4 * contrast * dice.random())
            image += depth * pattern(dice, rng, *size)
        if dice.random() < preset.shadow:
            shade = np.float32(dice.uniform(0.3, 0.8)) * self._shadow(alphas[-1], dice)
            image *= 1 - shade
        if len(alphas) == 2:
            image += (colour_apart(dice, preset, ink.ravel())[:, None, None] - image) * alphas[1]
        filling: np.ndarray = ink
        if dice.random() < preset.ink_pattern:
            depth = np.float32(0.4 * contrast * dice.random())
            filling = ink + (depth * pattern(dice, rng, *size))
        if dice.random() < preset.emboss:
            filling = filling + self._relief(alphas[0], dice)
        image += (filling - image) * alphas[0]
        if dice.random() < preset.light:
            image *= 1 + np.float32(0.35) * gradient(dice, *size)
        if dice.random() < preset.glare:
            # A light thing under a highlight keeps some of its contrast
            image += (255 - image) * (np.float32(0.6) * self._spot(dice))
        return image

    def _shadow(self, alpha: np.ndarray, dice: random.Random) -> np.ndarray:
        """Return letters moved by a few pixels, soft or hard, ``(h, w)``."""
        down, across = dice.choice((1, 1, 2)), dice.choice((-3, -2, 2, 3, 4))
        moved = np.zeros_like(alpha)
        if across > 0:
            moved[down:, across:] = alpha[:-down, :-across]
        else:
            moved[down:, :across] = alpha[:-down, -across:]
        if dice.random() < 0.5:
            return moved
        soft = Image.fromarray((255 * moved).astype(np.uint8)).filter(ImageFilter.BoxBlur(1))
        return np.asarray(soft, np.float32) / np.float32(255)

    def _relief(self, alpha: np.ndarray, dice: random.Random) -> np.ndarray:
        """Return the light on raised letters, ``(h, w)`` levels, dark on the edges off it."""
        lit = np.zeros_like(alpha)
        lit[1:-1, 2:-2] = alpha[2:, 4:] - alpha[:-2, :-4]
        return lit * np.float32(dice.choice((-1, 1)) * dice.uniform(20, 70))

    def _spot(self, dice: random.Random) -> np.ndarray:
        """Return a round highlight ``(h, w)`` in [0, 1]."""
        x = (np.arange(self.width, dtype=np.float32) / self.width - dice.random()) * 2
        y = np.arange(self.height, dtype=np.float32) / self.height - dice.random()
        distance = (x[None, :] ** 2 + y[:, None] ** 2) / np.float32(dice.uniform(0.05, 0.4))
        return np.exp(-distance)


def stroke_widths(alpha: np.ndarray) -> tuple[float, float]:
    """Return the mean length of runs of ink along rows and along columns, in pixels."""
    area = 2 * float(alpha.sum())
    across = float(np.abs(alpha[:, 1:] - alpha[:, :-1]).sum())
    down = float(np.abs(alpha[1:] - alpha[:-1]).sum())
    return area / max(1.0, across), area / max(1.0, down)
