"""SVTR against the published sizes and a plain softmax; widths other than the built-in one."""

import itertools

import pytest
import torch
from timm.layers import DropPath
from torch import nn

from dctc.models import SVTR
from dctc.models.svtr import Attention, MixingBlock, MixingStage, local_mask

VARIANTS = ["tiny", "small", "base", "large"]


@pytest.mark.parametrize(
    ("classes", "rectifier", "published"),
    [
        (37, False, [4.17e6, 8.47e6, 22.69e6, 38.86e6]),
        (37, True, [6.03e6, 10.3e6, 24.6e6, 40.8e6]),
        (7935, False, [None, None, 24.7e6, 41.9e6]),  # of the Chinese benchmark
    ],
)
def test_published_parameters(classes, rectifier, published):
    for variant, expected in zip(VARIANTS, published, strict=True):
        if expected:
            with torch.device("meta"):
                net = SVTR(classes, variant, rectifier=rectifier)
            assert sum(p.numel() for p in net.parameters()) == pytest.approx(expected, rel=0.01)


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
def test_other_widths_stretch_the_position():
    net = SVTR(5, width=96)
    assert net._position(24) is net.position
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "huge"}, "variant 'huge': it is one of tiny, small, base, large, micro"),
        ({"frame_stride": 2}, "frame_stride 2: it is 4 or 8"),
        ({"height": 30}, "height 30: not a multiple of 4"),
        ({"frame_stride": 8}, "width 100: not a multiple of frame_stride 8"),
    ],
)
def test_arguments_that_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        SVTR(5, **options)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 3), (8, 25), (9, 13)])
def test_neighbours_are_at_most_3_rows_and_5_columns_away(h, w):
    places = list(itertools.product(range(h), range(w)))
    expected = [[abs(a - c) <= 3 and abs(b - d) <= 5 for c, d in places] for a, b in places]
    assert local_mask(h, w).tolist() == expected


@pytest.mark.parametrize("local", [False, True])
@torch.no_grad()
def test_attention_is_the_softmax_over_those_that_are_seen(local):
    torch.manual_seed(0)
    attention, tokens = Attention(6, heads=3), torch.randn(2, 5 * 8, 6)
    torchs = nn.MultiheadAttention(6, 3, batch_first=True)
    torchs.in_proj_weight, torchs.in_proj_bias = attention.qkv.parameters()
    torchs.out_proj.load_state_dict(attention.proj.state_dict())
    mask = local_mask(5, 8) if local else None
    expected, _ = torchs(tokens, tokens, tokens, attn_mask=None if mask is None else ~mask)
    torch.testing.assert_close(attention(tokens, mask), expected)


@torch.no_grad()
def test_a_block_normalises_before_and_adds():
    """SVTR's ``prenorm: False``: x + f(norm(x)), twice."""
    torch.manual_seed(0)
    block = MixingBlock(8, heads=2, drop_path=0.0).eval()
    tokens = torch.randn(2, 6, 8)
    middle = tokens + block.attention(block.norm1(tokens), None)
    torch.testing.assert_close(block(tokens, None), middle + block.mlp(block.norm2(middle)))
    for last in (block.attention.proj, block.mlp.fc2):
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.zeros_(last.bias)
    assert torch.equal(block(tokens, None), tokens)


@pytest.mark.parametrize("grid", [(4, 20), (4, 15), (2, 30)])
@torch.no_grad()
def test_a_local_stage_moves_a_change_by_five_columns_per_block(grid):
    """On the built-in grid 4 x 20 and on others; the global block reaches everything."""
    torch.manual_seed(0)
    h, w = grid
    before = torch.randn(1, 8, h, w)
    after = before.clone()
    after[..., 0] = torch.randn(1, 8, h)
    for local, reach in (([True], 6), ([True, True], 11), ([True, False], w)):
        stage = MixingStage(8, 2, local, [0.0] * len(local), grid=(4, 20)).eval()
        moved = (stage(before) != stage(after)).any(1).any(1)[0]
        assert moved.tolist() == [column < reach for column in range(w)]


def test_the_mask_is_no_part_of_a_checkpoint():
    stage = MixingStage(8, 2, [True, False], [0.0, 0.1], grid=(4, 20))
    assert torch.equal(stage.mask, local_mask(4, 20))
    assert "mask" not in stage.state_dict()
    assert MixingStage(8, 2, [False], [0.0], grid=(4, 20)).mask is None
