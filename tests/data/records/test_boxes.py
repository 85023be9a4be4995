"""Boxes in upright images, against blocks that are painted there and found again after resizing."""

import io

import numpy as np
import pytest
from PIL import Image

from dctc.data.records.batch import Sample
from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import upright_size

BLOCK = (60, 90)  # of 120 columns or rows, as viewers show the image


def encoded(orientation, tall):
    """Encode an image that viewers show black, with one white block from side to side."""
    shown = np.zeros((40, 120), dtype=np.uint8)
    shown[:, slice(*BLOCK)] = 255
    image = Image.fromarray(shown.T if tall else shown)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    stored = image.rotate(90, expand=True) if orientation == 6 else image
    stored.save(stream, "PNG", exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("rotate_tall", ["off", "left", "right"])
@pytest.mark.parametrize("keep_ratio", [True, False])
def test_a_block_is_found_where_viewers_show_it(orientation, rotate_tall, keep_ratio):
    size = ImageSize(32, 128, keep_ratio=keep_ratio, rotate_tall=rotate_tall)
    source = encoded(orientation, rotate_tall != "off")
    sample = size.sample(source, "", "a")
    assert isinstance(sample, Sample)
    light = np.flatnonzero(sample.image[16, : sample.width, 0] > 127)
    (box,) = size.boxes(*upright_size(source), np.array([[light[0], light[-1] + 1]]))
    along, across = (box[[1, 3]], box[[0, 2]]) if rotate_tall != "off" else (box[::2], box[1::2])
    np.testing.assert_allclose(along, BLOCK, atol=2)  # a pixel of the resized image is 1.25
    assert across.tolist() == [0, 40]


def test_a_line_that_is_squashed_and_limits_in_the_padding():
    squashed = ImageSize(32, 64, keep_ratio=True)  # 96 wide at its ratio
    (box,) = squashed.boxes(120, 40, np.array([[16, 64]]))
    assert box.tolist() == [30, 0, 120, 40]
    padded = ImageSize(32, 128, keep_ratio=True)
    (box,) = padded.boxes(120, 40, np.array([[48, 100]]))
    assert box.tolist() == [60, 0, 120, 40]
