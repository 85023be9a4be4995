import random
from dataclasses import replace

import numpy as np
import pytest

from dctc.data.render.layout import Geometry, lay_out_scene, random_geometry
from dctc.data.render.presets import DOCUMENT, SCENE


def test_backward_undoes_forward():
    points = np.random.default_rng(0).uniform([[-10], [-40]], [[170], [15]], (2, 200))
    box = (0.0, -30.0, 160.0, 8.0)
    drawn = [
        random_geometry(random.Random(seed), preset, box)
        for seed in range(100)
        for preset in (SCENE, DOCUMENT)
    ]
    assert 5 < sum(g.radius != 0 for g in drawn) < 30
    for geometry in drawn:
        assert np.allclose(geometry.backward(geometry.forward(points)), points, atol=1e-6)


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


def test_each_character_alone_lies_within_its_extents(sans):
    """Through arcs, perspective, rotation and spacing; measured at half a small letter's height."""
    busy = replace(SCENE, curve=0.5, perspective=0.8, spacing=0.5)
    width, height, arcs, seen = 256, 64, 0, 0
    for seed in range(60):
        layout = lay_out_scene("HaM1ndx", sans, busy, height, width, random.Random(seed))
        extents, box, word = layout.extents(width), layout.box, layout.word
        arcs += layout.geometry.radius != 0
        for i, (left, right) in enumerate(extents):
            alone = replace(word, text=word.text[i], pens=(word.pens[i],))
            (mask,) = replace(layout, word=alone, around=(), rules=()).masks((width, height), 0)
            # The pixels of the image that lie on the line at which the limits are taken
            rows, columns = np.nonzero(np.asarray(mask) > 100)
            scale = np.array([(box[2] - box[0]) / width, (box[3] - box[1]) / height])
            points = (np.stack([columns, rows]) + 0.5) * scale[:, None]
            _, y = layout.geometry.backward(points + np.array(box[:2])[:, None])
            x = columns[np.abs(y + word.size / 4) < 2] + 0.5
            seen += len(x) > 0
            assert (x > left - 1.5).all() and (x < right + 1.5).all()
    assert arcs > 15 and seen > 0.95 * 60 * 7


@pytest.mark.parametrize(
    ("text", "height", "strokes"),
    [("Regular", 32, {1}), ("I", 32, {1, 2}), ("Regular", 14, {0})],  # "I" has no gap
)
def test_letters_are_widened_where_their_gaps_allow(sans, text, height, strokes):
    dice, bold = random.Random(0), replace(SCENE, bold=1.0)
    drawn = [lay_out_scene(text, sans, bold, height, 4 * height, dice) for _ in range(20)]
    assert {layout.stroke for layout in drawn} == strokes


@pytest.mark.parametrize("effect", ["neighbours", "rules"])
def test_what_surrounds_a_word_shows_beside_it(effect, sans):
    shown = 0
    for seed in range(20):
        drawn = {}
        for share in (0.0, 1.0):
            preset = replace(SCENE, **{"neighbours": 0.0, "rules": 0.0, effect: share})
            layout = lay_out_scene("Hem", sans, preset, 32, 128, random.Random(seed))
            word = replace(layout, around=(), rules=())
            (all_ink,), (ink,) = layout.masks((128, 32), 0), word.masks((128, 32), 0)
            drawn[share] = np.asarray(all_ink).astype(int) - np.asarray(ink)
        assert not drawn[0.0].any()
        shown += drawn[1.0].max() > 100
    assert shown >= 8  # the others lie beyond the crop
