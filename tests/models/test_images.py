"""Which image batches are refused, and in which words."""

import pytest
import torch

from dctc.models.images import check_images


def test_images_that_fit_pass():
    check_images(torch.zeros(2, 3, 32, 100), 3, 32, 4)
    check_images(torch.zeros(2, 3, 48, 101), 3)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 1, 32, 100), "images have 1 channels, the net expects 3"),
        ((2, 3, 48, 100), "images are 48 high, the net expects 32"),
        ((2, 3, 32, 102), "images are 102 wide, not a multiple of 4"),
        ((3, 32, 100), r"images are of shape \(3, 32, 100\), the net expects \(n, ch, h, w\)"),
    ],
)
def test_others_are_refused_in_one_line(shape, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_images(torch.zeros(shape), 3, 32, 4)
