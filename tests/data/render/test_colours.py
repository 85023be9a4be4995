import random

import numpy as np
import pytest
from PIL import Image, ImageFilter

from dctc.data.render.colours import LUMINANCE, colour_apart, colour_pair, is_legible, letters_left
from dctc.data.render.presets import DOCUMENT, SCENE


def letters(height: int = 32, width: int = 128) -> np.ndarray:
    """Bars of 3 pixels, 100 levels above their ground."""
    bars = np.full((height, width), 60, np.float32)
    bars[4:-4, np.arange(width) // 3 % 3 == 0] = 160
    return bars


def photograph(levels: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(levels, 0, 255).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize(("preset", "low", "high"), [(SCENE, 0.35, 0.65), (DOCUMENT, 1, 1)])
def test_ink_and_ground_keep_their_contrast_and_pages_are_light(preset, low, high):
    dark = []
    for seed in range(400):
        dice = random.Random(seed)
        ground, ink = colour_pair(dice, preset)
        difference = float(LUMINANCE @ (ground - ink))
        dark.append(difference > 0)
        assert abs(difference) >= preset.contrast
        assert min(ground.min(), ink.min()) >= 0 and max(ground.max(), ink.max()) <= 255
        rim = colour_apart(dice, preset, ink)
        assert abs(float(LUMINANCE @ (rim - ink))) >= preset.contrast
    assert low <= np.mean(dark) <= high


@pytest.mark.parametrize("size", [(32, 128), (31, 127), (48, 320)])
def test_an_image_of_the_letters_alone_is_like_them(size):
    drawn = letters(*size)
    likeness, contrast = letters_left(photograph(drawn), drawn)
    assert likeness == pytest.approx(1, abs=1e-3)
    faded = letters_left(photograph(drawn / 2 + 50), drawn)[1]
    assert faded == pytest.approx(contrast / 2, rel=0.02)
    # Slow changes of the light do not count
    ramp = np.linspace(-40, 40, size[1], dtype=np.float32)
    assert letters_left(photograph(drawn + ramp), drawn)[0] > 0.98


def test_contrast_is_that_of_the_letters_not_of_the_noise():
    drawn = letters()
    noise = np.random.default_rng(0).normal(0, 60, drawn.shape)
    assert letters_left(photograph(128 + noise), drawn)[1] < 4
    alone = letters_left(photograph(drawn), drawn)
    noisy = letters_left(photograph(drawn + noise / 3), drawn)
    assert noisy[1] == pytest.approx(alone[1], rel=0.1) and 0.8 < noisy[0] < alone[0]


def test_blur_and_fading_end_legibility():
    drawn = letters()
    picture = Image.fromarray(photograph(drawn))
    blurred = [
        np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)))
        for radius in (0.5, 1.0, 2.0, 6.0)
    ]
    likeness = [letters_left(image, drawn)[0] for image in blurred]
    assert likeness == sorted(likeness, reverse=True)
    assert is_legible(photograph(drawn), drawn)
    black = np.zeros((32, 128, 3), np.uint8)
    for image in (blurred[-1], photograph(100 + drawn / 25), photograph(255 - drawn), black):
        assert not is_legible(image, drawn)
