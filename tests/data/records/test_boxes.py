"""Boxes in stored pixels, against blocks that are painted there and found again after resizing."""

import io

import numpy as np
import pytest
from PIL import Image

from dctc.data.records.batch import Sample
from dctc.data.records.boxes import stored_boxes
from dctc.data.records.image_size import ImageSize

BLOCK = (60, 90)  # of 120 columns or rows, as viewers show the image


def encoded(orientation, tall, form):
    """Encode an image that viewers show black, with one white block from side to side."""
    shown = np.zeros((40, 120), dtype=np.uint8)
    shown[:, slice(*BLOCK)] = 255
    image = Image.fromarray(shown.T if tall else shown)
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the inverse of each orientation
    stored = image.transpose(Image.Transpose(back[orientation])) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    stored.save(stream, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))
    return stream.getvalue(), np.asarray(stored)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("rotate_tall", ["off", "left", "right"])
@pytest.mark.parametrize("keep_ratio", [True, False])
def test_a_block_is_found_where_it_was_painted(form, orientation, rotate_tall, keep_ratio):
    size = ImageSize(32, 128, keep_ratio=keep_ratio, rotate_tall=rotate_tall)
    source, stored = encoded(orientation, rotate_tall != "off", form)
    sample = size.sample(source, "", "a")
    assert isinstance(sample, Sample)
    light = np.flatnonzero(sample.image[16, : sample.width, 0] > 127)
    (box,) = stored_boxes(source, size, np.array([[light[0], light[-1] + 1]]))
    rows, columns = np.nonzero(stored)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(box, expected, atol=2)  # a pixel of the resized image is 1.25
    (shown,) = stored_boxes(source, size, np.array([[light[0], light[-1] + 1]]), upright=True)
    along = shown[[1, 3]] if rotate_tall != "off" else shown[[0, 2]]
    np.testing.assert_allclose(along, BLOCK, atol=2)


def test_a_line_that_is_squashed_and_limits_in_the_padding():
    source, _ = encoded(1, False, "PNG")
    squashed = ImageSize(32, 64, keep_ratio=True)  # 96 wide at its ratio
    (box,) = stored_boxes(source, squashed, np.array([[16, 64]]))
    assert box.tolist() == [30, 0, 120, 40]
    padded = ImageSize(32, 128, keep_ratio=True)
    (box,) = stored_boxes(source, padded, np.array([[48, 100]]))
    assert box.tolist() == [60, 0, 120, 40]
