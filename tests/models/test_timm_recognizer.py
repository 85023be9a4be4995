"""TimmRecognizer: its sizes, the order of its frames, its neck."""

import pytest
import torch

from dctc.models import TimmRecognizer


@pytest.fixture
def net():
    torch.manual_seed(0)
    return TimmRecognizer(7).eval()


@pytest.mark.parametrize("encoder", ["small_resnet", "test_convnext"])
@torch.no_grad()
def test_frame_k_looks_at_the_columns_around_4k(encoder):
    """A bright column changes the frame in which it stands more than those far away."""
    torch.manual_seed(0)
    net = TimmRecognizer(7, encoder).eval()
    images = torch.randn(1, 3, 32, 256, generator=torch.Generator().manual_seed(1))
    plain = net.features(images)[:, 0]  # (t, d)
    for frame in (0, 1, 13, 32, 51, 63):
        bright = images.clone()
        bright[..., 4 * frame : 4 * frame + 4] += 2.0
        change = (net.features(bright)[:, 0] - plain).norm(dim=1)  # (t,)
        weight = change.square() / change.square().sum()
        frames = torch.arange(64)
        assert (frames - change.argmax()).abs()[frame] <= 2
        near = (frames - frame).abs() <= 8
        assert weight[near].sum() > 0.9


@torch.no_grad()
def test_the_neck_reads_in_both_directions():
    torch.manual_seed(0)
    net = TimmRecognizer(7, neck_size=6).eval()
    encoded = torch.randn(1, 128, 1, 9)
    net.encoder = torch.nn.Identity()
    changed = encoded.clone()
    changed[..., 4] += 1.0
    # the encoder is out of the way: 9 columns are 9 frames, of 36 pixels
    net.in_chans = 128
    pad = torch.nn.functional.pad
    before = net.features(pad(encoded, (0, 3)))[:9, 0]
    after = net.features(pad(changed, (0, 3)))[:9, 0]
    moved = (before != after).reshape(9, 2, 6).any(2)  # frame, direction
    assert moved[:, 0].tolist() == [False] * 4 + [True] * 5  # left to right
    assert moved[:, 1].tolist() == [True] * 5 + [False] * 4


@torch.no_grad()
def test_what_stands_at_another_height_is_seen(net):
    images = torch.zeros(2, 3, 64, 64)
    images[0, :, 4:12, 24:40] = images[1, :, 52:60, 24:40] = 1.0
    top, bottom = net.features(images).unbind(1)
    assert (top - bottom).norm() > 0.01 * top.norm()


def test_frames_are_rounded_up(net):
    widths = [0, 1, 3, 4, 5, 100, 127, 128]
    expected = [0, 1, 1, 1, 2, 25, 32, 32]
    assert [net.frames(width) for width in widths] == expected
