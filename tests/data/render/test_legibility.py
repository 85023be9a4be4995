import numpy as np
import pytest
from PIL import Image, ImageFilter

from dctc.data.render.colours import is_legible, letters_left


def letters(height: int = 32, width: int = 128) -> np.ndarray:
    """Bars of 3 pixels, 100 levels above their ground."""
    bars = np.full((height, width), 60, np.float32)
    bars[4:-4, np.arange(width) // 3 % 3 == 0] = 160
    return bars


def photograph(levels: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(levels, 0, 255).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize("size", [(32, 128), (31, 127), (48, 320)])
def test_an_image_of_the_letters_alone_is_like_them(size):
    drawn = letters(*size)
    likeness, contrast = letters_left(photograph(drawn), drawn)
    assert likeness == pytest.approx(1, abs=1e-3)
    assert letters_left(photograph(drawn / 2 + 50), drawn)[1] == pytest.approx(
        contrast / 2, rel=0.02
    )
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
    likeness = []
    for radius in (0.5, 1.0, 2.0, 6.0):
        blurred = np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)))
        likeness.append(letters_left(blurred, drawn)[0])
    assert likeness == sorted(likeness, reverse=True)
    assert is_legible(photograph(drawn), drawn)
    assert not is_legible(blurred, drawn)
    assert not is_legible(photograph(100 + drawn / 25), drawn)
    assert not is_legible(photograph(255 - drawn), drawn)
    assert not is_legible(np.zeros((32, 128, 3), np.uint8), drawn)
