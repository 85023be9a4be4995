"""Each effect of the renderer alone: it changes the image, and not where the characters are."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from dctc.data.render import scene
from dctc.data.render.fonts import Font, find_fonts
from dctc.data.render.layout import lay_out_scene
from dctc.data.render.presets import SCENE, Preset
from dctc.data.render.scene import ScenePainter

GROUND, RIM, INK = (np.full(3, level, np.float32) for level in (200, 120, 40))
CHANCES = [
    f.name for f in fields(Preset) if f.type == "float" and f.name[:4] not in ("max_", "cont")
]
PLAIN = replace(SCENE, **dict.fromkeys(CHANCES, 0.0), margin=(0.1, 0.1), max_rotation=0.0)
# Of the image with the effect and the one without it
PHOTOMETRIC = {
    "outline": lambda image, plain: (image <= plain).all() and (image == RIM[0]).any(),
    "shadow": lambda image, plain: (image <= plain).all(),
    "emboss": lambda image, plain: (image < INK[0]).any() and (image == GROUND[0]).any(),
    "pattern": lambda image, plain: (image[plain == INK[0]] == INK[0]).all(),
    "ink_pattern": lambda image, plain: (image[plain == GROUND[0]] == GROUND[0]).all(),
    "light": lambda image, plain: np.ptp(image[plain == GROUND[0]]) > 1,
    "glare": lambda image, plain: (image >= plain).all(),
    "blur": lambda image, plain: steepest(image) < steepest(plain),
    "motion": lambda image, plain: steepest(image) < steepest(plain),
    "low_resolution": lambda image, plain: steepest(image) < steepest(plain),
    "noise": lambda image, plain: len(np.unique(image[plain == GROUND[0]])) > 3,
    "fax": lambda image, plain: set(np.unique(image)) == {0, 255},
    "jpeg": lambda image, plain: np.abs(image.astype(int) - plain).mean() < 8,
}


@pytest.fixture(scope="module")
def font() -> Font:
    return next(f for f in find_fonts() if f.path.endswith("DejaVuSans-Bold.ttf"))


def steepest(image: np.ndarray) -> float:
    """Mean difference of neighbouring pixels at edges."""
    steps = np.abs(np.diff(image[..., 0].astype(float), axis=1))
    return float(np.sort(steps, axis=None)[-200:].mean())


def painted(preset: Preset, font: Font, seed: int) -> tuple[np.ndarray, np.ndarray]:
    painter = ScenePainter(preset, 32, 128)
    return painter.paint("Hem", font, random.Random(seed), np.random.default_rng(seed))


@pytest.mark.parametrize("effect", PHOTOMETRIC)
def test_an_effect_changes_pixels_only(effect, font, monkeypatch):
    monkeypatch.setattr(scene, "colour_pair", lambda dice, preset: (GROUND, INK))
    monkeypatch.setattr(scene, "colour_apart", lambda dice, preset, ink: RIM)
    monkeypatch.setattr(scene, "is_legible", lambda pixels, letters: True)  # nothing drawn anew
    for seed in range(8):
        plain, extents = painted(PLAIN, font, seed)
        image, same = painted(replace(PLAIN, **{effect: 1.0}), font, seed)
        assert not np.array_equal(image, plain)
        assert np.array_equal(extents, same)
        assert PHOTOMETRIC[effect](image, plain)


@pytest.mark.parametrize("effect", ["neighbours", "rules"])
def test_what_surrounds_a_word_shows_beside_it(effect, font):
    shown = 0
    for seed in range(20):
        drawn = {}
        for share in (0.0, 1.0):
            preset = replace(PLAIN, **{effect: share})
            layout = lay_out_scene("Hem", font, preset, 32, 128, random.Random(seed))
            word = replace(layout, around=(), rules=())
            (all_ink,), (ink,) = layout.masks((128, 32), 0), word.masks((128, 32), 0)
            drawn[share] = np.asarray(all_ink).astype(int) - np.asarray(ink)
        assert not drawn[0.0].any()
        shown += drawn[1.0].max() > 100
    assert shown >= 8  # the others lie beyond the crop


def test_no_effect_is_left_out():
    drawn = {"bold", "spacing", "curve", "perspective", "shear"}  # of the letters themselves
    assert set(CHANCES) == drawn | {*PHOTOMETRIC, "neighbours", "rules"}
