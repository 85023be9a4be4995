import random

import numpy as np
import pytest

from dctc.data.render.layout import Geometry, project, random_geometry
from dctc.data.render.presets import DOCUMENT, SCENE

BOX = (0.0, -30.0, 160.0, 8.0)


def geometries(count: int) -> list[Geometry]:
    return [
        random_geometry(random.Random(seed), preset, BOX)
        for seed in range(count)
        for preset in (SCENE, DOCUMENT)
    ]


def test_backward_undoes_forward():
    points = np.random.default_rng(0).uniform([[-10], [-40]], [[170], [15]], (2, 200))
    drawn = geometries(100)
    assert 5 < sum(g.radius != 0 for g in drawn) < 30
    for geometry in drawn:
        there = geometry.forward(points)
        assert np.allclose(geometry.backward(there), points, atol=1e-6)


def test_an_arc_bends_the_ends_and_keeps_lengths():
    up, down = (Geometry(np.eye(3), (0.0, 0.0), radius) for radius in (100.0, -100.0))
    baseline = np.stack([np.linspace(-80, 80, 1001), np.zeros(1001)])
    for geometry, side in ((up, -1), (down, 1)):  # y points down
        x, y = geometry.forward(baseline)
        assert y[500] == 0 and side * y[0] > 20 and side * y[-1] > 20
        assert np.hypot(np.diff(x), np.diff(y)).sum() == pytest.approx(160, abs=0.01)
        assert np.allclose(np.hypot(x, y - side * 100), 100)


@pytest.mark.parametrize("radius", [0.0, 125.0, -125.0])
def test_what_is_drawn_lands_where_forward_says(radius):
    matrix = np.array([[0.98, -0.15, 0], [0.1, 1.02, 0], [0.001, 0.0008, 1]])
    geometry = Geometry(matrix, (80.0, -10.0), radius)
    corner, box, size = (-5, -40), (-100.0, -60.0, 110.0, 60.0), (128, 64)
    for x, y in [(10, -30), (60, 0), (100, -20), (150, 5)]:
        mask = np.zeros((60, 180), np.uint8)
        mask[y + 40 - 2 : y + 40 + 2, x + 5 - 2 : x + 5 + 2] = 255  # centred at (x, y)
        drawn = np.asarray(geometry.warp(mask, corner, box, size), float)
        rows, columns = np.indices(drawn.shape) + 0.5
        centre = np.array([(columns * drawn).sum(), (rows * drawn).sum()]) / drawn.sum()
        ((u,), (v,)) = geometry.forward(np.array([[x], [y]], float))
        expected = [(u + 100) / 210 * 128, (v + 60) / 120 * 64]
        assert np.abs(centre - expected).max() < (1.2 if radius else 0.3)  # patches are straight


def test_project_divides():
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [0.5, 0, 1]])
    assert project(matrix, np.array([[2.0], [4.0]])).ravel().tolist() == [1.0, 2.0]
