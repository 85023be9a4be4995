"""Painter of scenes and documents: each effect alone changes pixels, and not where they are."""

import random
from dataclasses import fields, replace

import numpy as np
import pytest

from dctc.data.render import scene
from dctc.data.render.colours import LEAST_CONTRAST, LEAST_LIKENESS, is_legible, letters_left
from dctc.data.render.fonts import Font
from dctc.data.render.presets import DOCUMENT, SCENE, Preset
from dctc.data.render.scene import ScenePainter, solid, stroke_widths

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


def steepest(image: np.ndarray) -> float:
    """Mean difference of neighbouring pixels at edges."""
    steps = np.abs(np.diff(image[..., 0].astype(float), axis=1))
    return float(np.sort(steps, axis=None)[-200:].mean())


def painted(preset: Preset, font: Font, seed: int, text: str = "Hem") -> tuple[np.ndarray, ...]:
    painter = ScenePainter(preset, 32, 128)
    return painter.paint(text, font, random.Random(seed), np.random.default_rng(seed))


@pytest.mark.parametrize("effect", PHOTOMETRIC)
def test_an_effect_changes_pixels_only(effect, fonts, monkeypatch):
    monkeypatch.setattr(scene, "colour_pair", lambda dice, preset: (GROUND, INK))
    monkeypatch.setattr(scene, "colour_apart", lambda dice, preset, ink: RIM)
    monkeypatch.setattr(scene, "is_legible", lambda pixels, letters: True)  # nothing drawn anew
    for seed in range(8):
        plain, extents = painted(PLAIN, fonts["DejaVuSans-Bold"], seed)
        image, same = painted(replace(PLAIN, **{effect: 1.0}), fonts["DejaVuSans-Bold"], seed)
        assert not np.array_equal(image, plain)
        assert np.array_equal(extents, same)
        assert PHOTOMETRIC[effect](image, plain)


def test_no_effect_is_left_out():
    elsewhere = {"bold", "spacing", "curve", "perspective", "shear", "neighbours", "rules"}
    assert set(CHANCES) == elsewhere | {*PHOTOMETRIC}


@pytest.mark.parametrize("preset", [SCENE, DOCUMENT], ids=lambda p: p.name)
def test_hairlines_do_not_vanish(fonts, preset, monkeypatch):
    """Under all losses of sharpness at once, every word stays above both limits."""
    faint = replace(preset, blur=1.0, low_resolution=1.0, noise=1.0, bold=0.0)
    left = []

    def measured(pixels, letters):
        left.append(letters_left(pixels, letters))
        return is_legible(pixels, letters)

    monkeypatch.setattr(scene, "is_legible", measured)
    for seed in range(150):
        painted(faint, fonts["cmr10"], seed, "Hairline")
        likeness, contrast = left[-1]
        assert likeness >= LEAST_LIKENESS and contrast >= LEAST_CONTRAST
    assert len(left) > 150  # some were drawn anew


def test_widths_of_strokes():
    bars = np.zeros((40, 60), np.float32)
    bars[5:35, 10:13] = bars[5:35, 30:33] = 1
    assert stroke_widths(bars) == pytest.approx((3, 30))


def test_ink_is_made_opaque():
    thin, thick = np.zeros((2, 20, 30), np.float32)
    thin[:, 5:7] = 0.4  # a line between two columns of pixels
    thick[:, 5:15] = 1
    assert solid(thin)[:, 5:7] == pytest.approx(0.7)
    assert np.array_equal(solid(thick), thick)
    assert np.array_equal(solid(0 * thick), 0 * thick)
