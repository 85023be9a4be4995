"""Painter of the presets scene and document: words as on photographed signs or scanned pages."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageFilter

from dctc.data.render.colours import (
    LUMINANCE,
    colour_apart,
    colour_pair,
    gradient,
    is_legible,
    pattern,
)
from dctc.data.render.degrade import degrade
from dctc.data.render.fonts import Font
from dctc.data.render.layout import Layout, lay_out_scene
from dctc.data.render.presets import Preset

_TRIES = 12
_OPACITY = 0.7  # of ink where most of it is; regular letters 32 pixels high have about as much


class ScenePainter:
    """Paints words with the effects of a preset, as images of ``height`` x ``width`` pixels."""

    def __init__(self, preset: Preset, height: int, width: int) -> None:
        self.preset, self.height, self.width = preset, height, width

    def paint(
        self, text: str, font: Font, dice: random.Random, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the image ``(h, w, 3)`` uint8 of a text and its extents ``(s, 2)`` float32.

        An illegible word, such as a thin font in faint ink under strong blur, is drawn anew.
        """
        for _ in range(_TRIES):
            layout = lay_out_scene(text, font, self.preset, self.height, self.width, dice)
            extents = layout.extents(self.width)
            pixels, letters = self._picture(layout, extents, dice, rng)
            if is_legible(pixels, letters):
                break
        return pixels, extents

    def _picture(
        self, layout: Layout, extents: np.ndarray, dice: random.Random, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an image ``(h, w, 3)`` uint8, and its letters ``(h, w)`` in plain levels."""
        # Thin letters would drown in a thick rim
        rim = 1 + layout.stroke + dice.randint(0, 1) if dice.random() < self.preset.outline else 0
        strokes = (0, rim) if rim else (0,)
        masks = layout.masks((self.width, self.height), *strokes)
        alphas = [np.asarray(mask, np.float32) / np.float32(255) for mask in masks]
        alphas[0] = solid(alphas[0])
        image, letters = self._coloured(alphas, dice, rng)
        left, top, right, bottom = layout.box
        stretch = self.width / (right - left) * (bottom - top) / self.height
        pitch = float(np.ptp(extents)) / len(extents)
        pixels = degrade(image, self.preset, dice, rng, stroke_widths(alphas[0]), pitch, stretch)
        return pixels, letters

    def _coloured(
        self,
        alphas: list[np.ndarray],
        dice: random.Random,
        rng: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ink over its ground, and the same without colours, patterns and light.

        The one is ``(3, h, w)`` float32, the other ``(h, w)``; both about in [0, 255].
        """
        preset, size = self.preset, (self.height, self.width)
        ground, ink = colour_pair(dice, preset)
        light, dark = float(LUMINANCE @ ground), float(LUMINANCE @ ink)
        contrast = abs(light - dark)
        ground, ink = ground[:, None, None], ink[:, None, None]
        letters = np.full(size, light, np.float32)
        image = np.empty((3, *size), np.float32)
        image[:] = ground
        if dice.random() < preset.pattern:  # never by so much that the ink vanishes
            depth = np.float32(0.4 * contrast * dice.random())
            image += depth * pattern(dice, rng, *size)
        if dice.random() < preset.shadow:
            shade = np.float32(dice.uniform(0.3, 0.8)) * self._shadow(alphas[-1], dice)
            image *= 1 - shade
            letters *= 1 - shade
        if len(alphas) == 2:
            rim = colour_apart(dice, preset, ink.ravel())
            image += (rim[:, None, None] - image) * alphas[1]
            letters += (float(LUMINANCE @ rim) - letters) * alphas[1]
        filling: np.ndarray = ink
        relief: np.ndarray | float = 0.0
        if dice.random() < preset.ink_pattern:
            depth = np.float32(0.4 * contrast * dice.random())
            filling = ink + (depth * pattern(dice, rng, *size))
        if dice.random() < preset.emboss:
            relief = self._relief(alphas[0], dice)
            filling = filling + relief
        image += (filling - image) * alphas[0]
        letters += (dark + relief - letters) * alphas[0]
        if dice.random() < preset.light:
            image *= 1 + np.float32(0.35) * gradient(dice, *size)
        if dice.random() < preset.glare:
            # A light thing under a highlight keeps some of its contrast
            image += (255 - image) * (np.float32(0.6) * self._spot(dice))
        return image, letters

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


def solid(alpha: np.ndarray) -> np.ndarray:
    """Return ink ``(h, w)`` in [0, 1], made opaque as a sign's is made to be seen.

    Strokes thinner than a pixel, of light fonts and of long words, are nowhere opaque when drawn.
    """
    mean = float(np.vdot(alpha, alpha)) / max(1e-6, float(alpha.sum()))  # weighted by the ink
    lift = min(2.5, _OPACITY / max(0.05, mean))
    return np.minimum(1, alpha * np.float32(lift)) if lift > 1 else alpha


def stroke_widths(alpha: np.ndarray) -> tuple[float, float]:
    """Return the mean length of runs of ink along rows and along columns, in pixels."""
    area = 2 * float(alpha.sum())
    across = float(np.abs(alpha[:, 1:] - alpha[:, :-1]).sum())
    down = float(np.abs(alpha[1:] - alpha[:-1]).sum())
    return area / max(1.0, across), area / max(1.0, down)
