"""SVTR against the published sizes; widths other than the built-in one."""

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from dctc.models import SVTR
from dctc.models.mixing import MixingBlock

VARIANTS = ["tiny", "small", "base", "large"]


def parameters(*args, **options):
    with torch.device("meta"):
        return sum(p.numel() for p in SVTR(*args, **options).parameters())


@pytest.mark.parametrize(
    ("variant", "published"),
    [*zip(VARIANTS, [4.17e6, 8.47e6, 22.69e6, 38.86e6], strict=True)],
)
def test_parameters_without_a_rectifier(variant, published):
    assert parameters(37, variant) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(
    ("variant", "published"), [*zip(VARIANTS, [6.03e6, 10.3e6, 24.6e6, 40.8e6], strict=True)]
)
def test_parameters_with_a_rectifier(variant, published):
    assert parameters(37, variant, rectifier=True) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(("variant", "published"), [("base", 24.7e6), ("large", 41.9e6)])
def test_parameters_of_the_chinese_nets(variant, published):
    assert parameters(7935, variant) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(
    ("variant", "mixers"),
    [
        ("tiny", "LLL LLLGGG GGG"),
        ("small", "LLL LLLLLG GGGGGG"),
        ("base", "LLL LLLLLG GGGGGGGGG"),
        ("large", "LLL LLLLLLLGG GGGGGGGGG"),
    ],
)
def test_which_blocks_mix_locally(variant, mixers):
    with torch.device("meta"):
        stages = SVTR(5, variant).stages[::2]
    found = " ".join("".join("L" if local else "G" for local in stage.local) for stage in stages)
    assert found == mixers
    assert [len(stage.blocks) for stage in stages] == [len(part) for part in mixers.split()]


def test_stochastic_depth_rises_linearly_to_a_tenth():
    net = SVTR(5)
    blocks = [module for module in net.modules() if isinstance(module, MixingBlock)]
    assert all(isinstance(block.drop_path, DropPath) for block in blocks)
    rates = torch.tensor([block.drop_path.drop_prob for block in blocks])
    torch.testing.assert_close(rates, torch.linspace(0, 0.1, 12))


def test_initialisation():
    torch.manual_seed(0)
    net = SVTR(5)
    assert net.position.std().item() == pytest.approx(0.02, rel=0.05)
    for module in net.stages.modules():
        if isinstance(module, nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert not module.bias.any()


@pytest.mark.parametrize(
    ("options", "t"),
    [
        ({}, 25),
        ({"width": 320, "frame_stride": 8}, 40),
        ({"width": 320}, 80),
        ({"height": 48, "width": 160}, 40),
    ],
)
@torch.no_grad()
def test_published_sizes(options, t):
    net = SVTR(5, **options).eval()
    assert net(torch.zeros(1, 3, net.height, net.width)).shape == (t, 1, 5)
    assert net.frames(net.width) == t


@pytest.mark.parametrize(
    ("stride", "expected"), [(4, [0, 1, 1, 2, 25, 32]), (8, [0, 1, 1, 1, 13, 16])]
)
def test_frames_are_rounded_up(stride, expected):
    net = SVTR(5, width=96, frame_stride=stride)
    assert [net.frames(width) for width in (0, 1, 4, 8, 100, 128)] == expected


@torch.no_grad()
def test_eight_pixels_per_frame_are_the_mean_of_two_columns():
    torch.manual_seed(0)
    fine, coarse = SVTR(5, width=64).eval(), SVTR(5, width=64, frame_stride=8).eval()
    coarse.load_state_dict(fine.state_dict())
    for net in (fine, coarse):
        net.combine = nn.Identity()  # what comes before it is linear in the columns
    images = torch.randn(1, 3, 32, 64)
    pairs = fine.features(images).unflatten(0, (8, 2)).mean(1)
    torch.testing.assert_close(coarse.features(images), pairs)


@torch.no_grad()
def test_the_position_of_the_built_in_width_is_untouched():
    net = SVTR(5, width=96)
    assert net._position(24) is net.position


@torch.no_grad()
def test_other_widths_stretch_the_position():
    net = SVTR(5, width=96)
    ramp = torch.arange(24.0) + 0.5  # the centre of each column
    net.position.copy_(ramp.expand_as(net.position))
    stretched = net._position(48)
    assert stretched.shape == (1, 64, 8, 48)
    inner = (torch.arange(48.0) + 0.5) / 2
    torch.testing.assert_close(stretched[0, 0, 0, 1:-1], inner[1:-1])


@torch.no_grad()
def test_what_the_rectifier_returns_is_what_is_read():
    torch.manual_seed(0)
    net = SVTR(5, rectifier=True).eval()
    images = torch.rand(2, 3, 64, 256)
    assert net(images).shape == (25, 2, 5)
    straight = net.rectifier(images)
    logits, net.rectifier = net(images), None
    assert torch.equal(logits, net(straight))


def test_a_rectified_image_has_the_frames_of_the_net():
    net = SVTR(5, rectifier=True)
    assert net.frames(256) == net.frames(8) == 25
    assert net.frames(torch.tensor([256, 8])).tolist() == [25, 25]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "huge"}, "variant 'huge': it is one of tiny, small, base, large"),
        ({"frame_stride": 2}, "frame_stride 2: it is 4 or 8"),
        ({"height": 30}, "height 30: not a multiple of 4"),
        ({"frame_stride": 8}, "width 100: not a multiple of frame_stride 8"),
    ],
)
def test_arguments_that_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SVTR(5, **options)


def test_images_that_do_not_fit():
    with pytest.raises(ValueError, match="images are 48 high, the net expects 32"):
        SVTR(5)(torch.zeros(1, 3, 48, 64))
    with pytest.raises(ValueError, match="images are 100 wide, not a multiple of 8"):
        SVTR(5, width=96, frame_stride=8)(torch.zeros(1, 3, 32, 100))
