"""Where the points of a flat line of text end up: an arc, then a homography, then a crop."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from dctc.data.render.presets import Preset

_COLUMNS, _ROWS = 12, 3  # patches of an image in which a bent line is taken for straight
_DENSE = 1.5  # pixels of the mask per pixel of the image, above which they are first made fewer


@dataclass(frozen=True)
class Geometry:
    """A smooth map of the plane of the text to the plane of the image.

    Attributes:
        matrix: Homography ``(3, 3)``, applied after the arc.
        centre: The point of the text that stays on the axis of the arc.
        radius: Signed radius of the baseline in pixels: positive bends the ends upwards, negative
            downwards; 0 is a straight baseline.
    """

    matrix: np.ndarray
    centre: tuple[float, float]
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
        self,
        mask: np.ndarray,
        corner: tuple[int, int],
        box: tuple[float, float, float, float],
        size: tuple[int, int],
    ) -> Image.Image:
        """Draw what lies in a box of the image plane.

        Args:
            mask: ``(h, w)`` uint8, in the plane of the text.
            corner: Where the mask's left upper corner lies there.
            box: Left, top, right and bottom in the image plane.
            size: Width and height of the result.

        Returns:
            Image of mode L.
        """
        image, (width, height) = Image.fromarray(mask), size
        scale = (box[2] - box[0]) / width, (box[3] - box[1]) / height
        # Where every other column would be left out, hairlines would be, too
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
        # Of each patch the corners in Pillow's order: left upper, left lower, right lower, right
        # upper
        quads = np.concatenate([ends[:-1, :-1], ends[1:, :-1], ends[1:, 1:], ends[:-1, 1:]], 2)
        mesh = [
            ((int(a), int(c), int(b), int(d)), tuple(quads[j, i].tolist()))
            for j, (c, d) in enumerate(pairwise(rows))
            for i, (a, b) in enumerate(pairwise(columns))
        ]
        return image.transform(size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def project(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points ``(2, k)`` by a homography ``(3, 3)``."""
    mapped = matrix[:, :2] @ points + matrix[:, 2:]  # (3, k)
    return mapped[:2] / mapped[2]


def random_geometry(
    dice: random.Random, preset: Preset, box: tuple[float, float, float, float]
) -> Geometry:
    """Draw a geometry for a word.

    Args:
        dice: All that is random comes from it.
        preset: How often what happens.
        box: Left, top, right and bottom of the word's ink in the plane of the text.
    """
    w, h = max(1.0, box[2] - box[0]), max(1.0, box[3] - box[1])
    radius = 0.0
    if w > 2 * h and dice.random() < preset.curve:
        # No tighter than a ring of which the letters fill a half
        radius = max(w / dice.uniform(0.25 * preset.max_arc, preset.max_arc), h)
        radius *= 1 if dice.random() < 0.3 else -1  # words on signs mostly arch
    turn = np.deg2rad(_centred(dice) * preset.max_rotation * min(1.0, 3 * h / w))
    shear = _centred(dice) * preset.max_shear if dice.random() < preset.shear else 0.0
    taper = [0.0, 0.0]
    if dice.random() < preset.perspective:
        taper = [dice.uniform(-1, 1) * preset.max_taper * 2 / side for side in (w, 3 * h)]
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin - shear * cos, 0], [sin, cos - shear * sin, 0], [*taper, 1]])
    return Geometry(matrix, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), radius)


def _centred(dice: random.Random) -> float:
    """Return a number between -1 and 1, more often near 0."""
    return dice.triangular(-1, 1, 0)


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
