"""Layout of a drawn word: letters, neighbours and rules, bent and projected, and the crop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from dctc.data.render.fonts import Font
from dctc.data.render.glyphs import Rule, Word, extents_of, gap, lay_out, paste, widen
from dctc.data.render.presets import Preset

Box = tuple[float, float, float, float]  # left, top, right and bottom

_EM = 1.2  # of the image's height: the font's size at which capitals are about as high as the image
_SIZES = (1, 1.7)  # times as large short words are drawn, being stretched to the width
_ADVANCE = 0.55  # em, a usual character's width
_COLUMNS, _ROWS = 12, 3  # patches of an image in which a bent line is taken for straight
_DENSE = 1.5  # pixels of the mask per pixel of the image, above which they are first made fewer


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points ``(2, k)`` by a homography ``(3, 3)``."""
    mapped = matrix[:, :2] @ points + matrix[:, 2:]  # (3, k)
    return mapped[:2] / mapped[2]


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Return the inverse of a homography up to a factor; np.linalg.inv takes ten times longer."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    return np.array(
        [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ]
    )


@dataclass(frozen=True)
class Geometry:
    """A smooth map of the plane of the text to the plane of the image."""

    matrix: np.ndarray  # homography (3, 3), applied after the arc
    centre: tuple[float, float]  # the point of the text that stays on the axis of the arc
    # Of the baseline, in pixels: positive bends the ends upwards, negative downwards, 0 is straight
    radius: float = 0.0

    def forward(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(2, k)`` of the text to the image plane."""
        x, y = points[0] - self.centre[0], points[1] - self.centre[1]
        if self.radius:
            angle, distance = x / self.radius, self.radius + y
            x, y = distance * np.sin(angle), distance * np.cos(angle) - self.radius
        return project(self.matrix, np.stack([x, y]))

    def backward(self, points: np.ndarray) -> np.ndarray:
        """Map points ``(2, k)`` of the image plane to the text."""
        x, y = project(_inverse(self.matrix), points)
        if self.radius:
            side, y = np.sign(self.radius), y + self.radius
            distance, angle = side * np.hypot(x, y), np.arctan2(side * x, side * y)
            x, y = self.radius * angle, distance - self.radius
        return np.stack([x + self.centre[0], y + self.centre[1]])

    def warp(
        self, mask: np.ndarray, corner: tuple[int, int], box: Box, size: tuple[int, int]
    ) -> Image.Image:
        """Draw what lies in a box of the image plane, as an image of mode L and a size (w, h).

        The mask ``(h, w)`` uint8 lies in the plane of the text, its left upper corner at a corner.
        """
        image, (width, height) = Image.fromarray(mask), size
        scale = (box[2] - box[0]) / width, (box[3] - box[1]) / height
        # Where sampling would skip every other column, it would skip hairlines too
        fold = 2 if scale[0] > _DENSE else 1
        if fold > 1:
            image = image.reduce((fold, 1))
        if not self.radius:
            # Numbers one by one, because for so few numpy takes five times longer
            x, y = self.centre[0] - corner[0], self.centre[1] - corner[1]
            (a, b, c), (d, e, f), (g, h, i) = (
                (p * scale[0], q * scale[1], p * box[0] + q * box[1] + r)
                for p, q, r in _inverse(self.matrix).tolist()
            )
            across, down = (a + x * g, b + x * h, c + x * i), (d + y * g, e + y * h, f + y * i)
            coefficients = [v / (fold * i) for v in across]
            coefficients += [v / i for v in (*down, g, h)]
            return image.transform(
                size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
            )
        columns = np.linspace(0, width, _COLUMNS + 1).round().astype(int)
        rows = np.linspace(0, height, _ROWS + 1).round().astype(int)
        grid = np.stack(np.meshgrid(columns, rows)).reshape(2, -1)  # (2, rows * columns)
        ends = self.backward(grid * np.array(scale)[:, None] + np.array(box[:2])[:, None])
        ends = ends.T.reshape(_ROWS + 1, _COLUMNS + 1, 2) - corner
        ends[..., 0] /= fold
        # Corners of each patch in Pillow's order: left upper, left lower, right lower, right upper
        quads = np.concatenate([ends[:-1, :-1], ends[1:, :-1], ends[1:, 1:], ends[:-1, 1:]], 2)
        mesh = [
            ((int(a), int(c), int(b), int(d)), tuple(quads[j, i].tolist()))
            for j, (c, d) in enumerate(pairwise(rows))
            for i, (a, b) in enumerate(pairwise(columns))
        ]
        return image.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def random_geometry(dice: random.Random, preset: Preset, box: Box) -> Geometry:
    """Draw a geometry for a word whose ink fills a box of the plane of the text."""
    w, h = max(1.0, box[2] - box[0]), max(1.0, box[3] - box[1])
    radius = 0.0
    if w > 2 * h and dice.random() < preset.curve:
        # No tighter than a ring of which the letters fill a half
        radius = max(w / dice.uniform(0.25 * preset.max_arc, preset.max_arc), h)
        radius *= 1 if dice.random() < 0.3 else -1  # words on signs mostly arch
    turn = np.deg2rad(dice.triangular(-1, 1, 0) * preset.max_rotation * min(1.0, 3 * h / w))
    shear = dice.triangular(-1, 1, 0) * preset.max_shear if dice.random() < preset.shear else 0.0
    taper = [0.0, 0.0]
    if dice.random() < preset.perspective:
        taper = [dice.uniform(-1, 1) * preset.max_taper * 2 / side for side in (w, 3 * h)]
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin - shear * cos, 0], [sin, cos - shear * sin, 0], [*taper, 1]])
    return Geometry(matrix, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), radius)


@dataclass(frozen=True)
class Layout:
    """Where everything of a drawn word lies, without colours."""

    word: Word
    around: tuple[tuple[Word, int, int], ...]  # other words and their positions
    rules: tuple[Rule, ...]
    stroke: int  # pixels by which letters are widened
    geometry: Geometry  # from the plane of the text to the image plane
    box: Box  # part of the image plane that becomes the image

    def masks(self, size: tuple[int, int], *strokes: int) -> list[Image.Image]:
        """Draw the ink in an image of a size (w, h), once for each width of an extra stroke."""
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
        return extents_of(x, self.word.text)


def lay_out_scene(
    text: str, font: Font, preset: Preset, height: int, width: int, dice: random.Random
) -> Layout:
    """Draw the layout of an image ``(height, width)`` at random."""
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
) -> tuple[tuple[tuple[Word, int, int], ...], tuple[Rule, ...]]:
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
