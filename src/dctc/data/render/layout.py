"""Where everything of a drawn word lies: letters, neighbours, rules, crop."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dctc.data.render.fonts import Font
from dctc.data.render.geometry import Geometry, random_geometry
from dctc.data.render.glyphs import Word, gap, lay_out, paste, widen
from dctc.data.render.presets import Preset

Box = tuple[float, float, float, float]

_EM = 1.2  # of the image's height: the font's size at which capitals are about as high as the image
_SIZES = (1, 1.7)  # times as large short words are drawn, being stretched to the width
_ADVANCE = 0.55  # em, a usual character's width


@dataclass(frozen=True)
class Layout:
    """All of a drawn word but its colours.

    Attributes:
        word: The word itself.
        around: Other words and their positions.
        rules: Lines, as filled boxes.
        stroke: By how many pixels letters are widened.
        geometry: From the plane of the text to the image plane.
        box: What of the image plane becomes the image.
    """

    word: Word
    around: tuple[tuple[Word, int, int], ...]
    rules: tuple[tuple[int, int, int, int], ...]
    stroke: int
    geometry: Geometry
    box: Box

    def masks(self, size: tuple[int, int], *strokes: int) -> list[Image.Image]:
        """Draw the ink, of letters widened by further pixels, in an image of a size (w, h)."""
        words = [(self.word, 0, 0), *self.around]
        drawn, corner = paste(words, self.rules, border=1 + self.stroke + max(strokes))
        return [
            self.geometry.warp(widen(drawn, self.stroke + more), corner, self.box, size)
            for more in strokes
        ]

    def extents(self, width: int) -> np.ndarray:
        """Return ``(s, 2)`` float32, the limits of the characters in an image of that width."""
        points = np.empty((2, len(self.word.limits)))
        points[0], points[1] = self.word.limits, -self.word.size / 4  # half a small letter's height
        x = (self.geometry.forward(points)[0] - self.box[0]) * (width / (self.box[2] - self.box[0]))
        x = np.maximum.accumulate(np.minimum(width, np.maximum(0, x)))
        extents = np.empty((len(x) - 1, 2), np.float32)
        extents[:, 0], extents[:, 1] = x[:-1], x[1:]
        return extents


def lay_out_scene(
    text: str, font: Font, preset: Preset, height: int, width: int, dice: random.Random
) -> Layout:
    """Decide where everything of an image ``(height, width)`` is."""
    natural = width / (_ADVANCE * len(text))  # pixels per em that would fill the width
    # Few sizes, so that drawn characters are found again
    size = round(_EM * height * max(s for s in _SIZES if s == 1 or s * _EM * height <= natural))
    stroke = 0
    if dice.random() < preset.bold:
        stroke = dice.choice((1, 1, 2)) if size > 1.5 * height else 1
        # Most of what is blank between strokes stays so
        stroke = int(min(stroke, gap(text, font.path, size) / 5))
    spacing = 0.0
    if dice.random() < preset.spacing:
        spacing = size * preset.max_spacing * dice.choice((dice.random(), dice.uniform(-0.15, 0.1)))
    word = lay_out(text, font.path, size, spacing + stroke)
    # A full stop or a dash is not blown up to fill the image: the crop holds some line height.
    boxes = [(float(word.limits[0]), -size / 2, float(word.limits[-1]), 0.0)]
    boxes += [
        (x0 - stroke, y0 - stroke, x1 + stroke, y1 + stroke) for x0, y0, x1, y1 in word.boxes()
    ]
    ink = np.array(boxes).T
    whole = (*ink[:2].min(1).tolist(), *ink[2:].max(1).tolist())
    geometry = random_geometry(dice, preset, whole)
    corners = geometry.forward(ink[[0, 2, 2, 0, 1, 1, 3, 3]].reshape(2, -1))
    (left, top), (right, bottom) = corners.min(1).tolist(), corners.max(1).tolist()
    tall = bottom - top
    # A lone "i" is not stretched to the whole width.
    wanting = max(0.0, 0.7 * tall - (right - left)) / 2
    low, high = preset.margin
    # Small margins are commoner; below and above less than beside
    margins = [low + (high - low) * dice.random() ** 2 for _ in range(4)]
    around, rules = _surroundings(word, spacing, whole, preset, dice, margins)
    box = (
        left - wanting - tall * margins[0],
        top - 0.8 * tall * margins[1],
        right + wanting + tall * margins[2],
        bottom + 0.8 * tall * margins[3],
    )
    return Layout(word, around, rules, stroke, geometry, box)


def _surroundings(
    word: Word, spacing: float, ink: Box, preset: Preset, dice: random.Random, margins: list[float]
) -> tuple[tuple[tuple[Word, int, int], ...], tuple[tuple[int, int, int, int], ...]]:
    """Put words and rules around a word, and widen the margins that they reach into."""
    around, rules = [], []
    left, top, right, bottom = ink
    tall = bottom - top
    if dice.random() < preset.neighbours:
        side = dice.randrange(4)
        # Of letters that the font is sure to have: those of the word
        letters = "".join(dice.choice(word.text) for _ in range(2 if side in (0, 2) else 9))
        other = lay_out(letters, word.path, word.size)
        boxes = np.array(other.boxes())
        if len(boxes):
            # No nearer than its own letters are to each other, or it would seem one of them
            apart = max(tall, 0.7 * word.size) * dice.uniform(0.28, 0.42) + max(0.0, spacing)
            if side == 0:
                around.append((other, round(left - apart - boxes[:, 2].max()), 0))
            elif side == 2:
                around.append((other, round(right + apart - boxes[:, 0].min()), 0))
            else:
                apart = tall * dice.uniform(0.12, 0.28)
                x = round(left - word.size * dice.uniform(0, 2))
                y = (
                    top - apart - boxes[:, 3].max()
                    if side == 1
                    else bottom + apart - boxes[:, 1].min()
                )
                around.append((other, x, round(y)))
            shown = apart / tall + dice.uniform(0, 0.15)
            margins[side] = max(margins[side], shown if side in (0, 2) else shown / 0.8)
    if dice.random() < preset.rules:
        thick = max(1, round(word.size * dice.uniform(0.02, 0.07)))
        far = round(3 * tall)
        if dice.random() < 0.8:
            y = round(bottom + tall * dice.uniform(0.05, 0.2))
            rules.append((round(left) - far, y, round(right) + far, y + thick))
            margins[3] = max(margins[3], dice.uniform(0.0, 0.4))
        else:  # of a box of a form
            x = round(left - tall * dice.uniform(0.15, 0.3)) - thick
            rules.append((x, round(top) - far, x + thick, round(bottom) + far))
            margins[0] = max(margins[0], dice.uniform(0.1, 0.4))
    return tuple(around), tuple(rules)
