"""The rectifier: nothing but a resize when new, and scipy's thin plate spline in general."""

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator
from torch.nn import functional as F

from dctc.models.rectifier import CONTROL_POINTS, Rectifier


@pytest.fixture
def rectifier():
    torch.manual_seed(0)
    return Rectifier(32, 100).eval()


def resized(images, size):
    return F.interpolate(images, size, mode="bilinear", align_corners=True)


@pytest.mark.parametrize("size", [(32, 100), (64, 256), (40, 31)])
@torch.no_grad()
def test_a_new_one_only_resizes(rectifier, size):
    images = torch.rand(2, 3, *size)
    torch.testing.assert_close(rectifier(images), resized(images, (32, 100)), rtol=0, atol=1e-3)


@torch.no_grad()
def test_positions_are_those_of_scipys_thin_plate_spline(rectifier):
    rng = np.random.default_rng(0)
    x = np.linspace(0.05, 0.95, CONTROL_POINTS // 2)
    targets = np.concatenate([np.stack([x, 0 * x + y], 1) for y in (0.05, 0.95)])
    points = targets + rng.normal(0, 0.05, targets.shape)
    spline = RBFInterpolator(targets, points, kernel="thin_plate_spline", degree=1)
    y, x = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 100), indexing="ij")
    expected = spline(np.stack([x.ravel(), y.ravel()], 1))
    positions = rectifier.grid @ torch.from_numpy(points).float()
    np.testing.assert_allclose(positions.numpy(), expected, atol=1e-4)


@torch.no_grad()
def test_points_that_frame_a_part_of_the_image_cut_it_out(rectifier):
    images = torch.rand(1, 3, 32, 100)
    bias = rectifier.points.bias.view(CONTROL_POINTS, 2)
    bias.copy_(bias * 0.5 + torch.tensor([0.25, 0.5]))  # x in [.25, .75], y in [.5, 1]
    y, x = torch.linspace(0.5, 1, 32), torch.linspace(0.25, 0.75, 100)
    part = torch.stack(torch.meshgrid(x, y, indexing="xy"), 2)[None] * 2 - 1
    expected = F.grid_sample(images, part, align_corners=True)
    torch.testing.assert_close(rectifier(images), expected, rtol=0, atol=1e-3)


@torch.no_grad()
def test_what_lies_outside_repeats_the_border(rectifier):
    images = torch.rand(1, 3, 32, 100)
    rectifier.points.bias.add_(2.0)  # far to the lower right
    corner = images[..., -1, -1, None, None]
    torch.testing.assert_close(rectifier(images), corner.expand(1, 3, 32, 100))


@torch.no_grad()
def test_under_autocast_positions_keep_their_precision(rectifier):
    rectifier.points.bias.add_(0.013)
    images = torch.rand(1, 3, 64, 256)
    plain = rectifier(images)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = rectifier(images)
    # the points themselves come out of a bf16 layer, the positions between them do not
    assert mixed.dtype == torch.float32
    points = rectifier.points.bias.view(1, -1, 2)
    rectifier.locate = lambda _: points
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(rectifier(images), plain, rtol=0, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_it_may_be_cast(rectifier, dtype):
    straight = rectifier.to(dtype)(torch.full((1, 3, 64, 256), 0.5, dtype=dtype))
    assert straight.dtype == dtype and straight.shape == (1, 3, 32, 100)
    torch.testing.assert_close(straight.float(), torch.full((1, 3, 32, 100), 0.5))
