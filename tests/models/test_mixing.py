"""Local and global mixing against brute force and a plain softmax."""

import itertools
import math

import pytest
import torch

from dctc.models.mixing import Attention, MixingBlock, MixingStage, local_mask

GRIDS = [(1, 1), (2, 3), (8, 25), (9, 13)]


@pytest.mark.parametrize(("h", "w"), GRIDS)
def test_neighbours_are_at_most_3_rows_and_5_columns_away(h, w):
    places = list(itertools.product(range(h), range(w)))
    expected = [[abs(a - c) <= 3 and abs(b - d) <= 5 for c, d in places] for a, b in places]
    assert local_mask(h, w).tolist() == expected


def plain_attention(attention, tokens, sees):
    """The same sum by sum: one sample, one head, one place at a time."""
    n, places, dim = tokens.shape
    size = dim // attention.heads
    q, k, v = (tokens @ attention.qkv.weight.T + attention.qkv.bias).split(dim, 2)
    mixed = torch.zeros_like(tokens)
    for i, head, place in itertools.product(range(n), range(attention.heads), range(places)):
        own = slice(head * size, (head + 1) * size)
        others = [other for other in range(places) if sees(place, other)]
        scores = k[i, others][:, own] @ q[i, place, own] / math.sqrt(size)
        weights = scores.exp() / scores.exp().sum()
        mixed[i, place, own] = weights @ v[i, others][:, own]
    return mixed @ attention.proj.weight.T + attention.proj.bias


@pytest.mark.parametrize("local", [False, True])
@torch.no_grad()
def test_attention_is_the_softmax_over_those_that_are_seen(local):
    torch.manual_seed(0)
    h, w = 5, 8
    attention = Attention(6, heads=3)
    tokens = torch.randn(2, h * w, 6)

    def sees(a, b):
        return not local or (abs(a // w - b // w) <= 3 and abs(a % w - b % w) <= 5)

    mixed = attention(tokens, local_mask(h, w) if local else None)
    torch.testing.assert_close(mixed, plain_attention(attention, tokens, sees))


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
