import numpy as np
import pytest
from PIL import Image

from dctc.data.records.images import resize_image


def picture(width, height, mode="RGB", seed=0):
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("width", "height", "valid"), [(40, 16, 80), (30, 32, 30), (63, 64, 32)])
def test_the_ratio_is_kept_and_the_rest_is_the_mean_colour(mode, width, height, valid):
    image = picture(width, height, mode)
    pixels, found = resize_image(image, 32, 100, keep_ratio=True)
    assert (found, pixels.shape[:2], pixels.dtype) == (valid, (32, 100), np.uint8)
    expected = np.asarray(image.resize((valid, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pixels[:, :valid].squeeze(), expected)
    mean = expected.reshape(-1, pixels.shape[2]).mean(0)
    assert np.abs(pixels[:, valid:] - mean).max() <= 0.5


@pytest.mark.parametrize("size", [(400, 16), (200, 64), (199, 64), (1000, 1)])
def test_a_longer_line_is_squashed(size):
    pixels, valid = resize_image(picture(*size), 32, 100, keep_ratio=True)
    assert valid == 100
    np.testing.assert_array_equal(pixels, resize_image(picture(*size), 32, 100)[0])


def test_nothing_is_narrower_than_a_pixel():
    pixels, valid = resize_image(picture(1, 500), 32, 100, keep_ratio=True)
    assert valid == 1 and pixels.shape == (32, 100, 3)


@pytest.mark.parametrize("keep_ratio", [False, True])
def test_the_pixels_may_be_written_to(keep_ratio):
    for size in ((10, 10), (500, 10)):
        pixels, _ = resize_image(picture(*size), 32, 64, keep_ratio)
        pixels[0, 0] = 7
