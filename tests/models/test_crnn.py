"""CRNN against the numbers and the layers of its two sources."""

import itertools

import pytest
import torch
from torch import nn

from dctc.models import CRNN


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_the_original_has_the_published_number_of_parameters():
    assert parameters(CRNN(37, in_chans=1)) == pytest.approx(8.3e6, rel=0.01)


def test_the_parameters_of_rgb_images_by_hand():
    """Seven convolutions with biases, two batch norms, two BiLSTM-256, 37 classes."""
    convolutions = [(3, 64, 3), (64, 128, 3), (128, 256, 3), (256, 256, 3), (256, 512, 3)]
    convolutions += [(512, 512, 3), (512, 512, 2)]
    size = sum((i * k * k + 1) * o for i, o, k in convolutions) + 2 * 2 * 512
    size += sum(2 * 4 * 256 * (i + 256 + 2) for i in (512, 256)) + 512 * 256 + 256 + 512 * 37 + 37
    assert parameters(CRNN(37)) == size


def test_the_chinese_variant_has_exactly_that_of_the_authors_code():
    assert f"{parameters(CRNN(7935, 'chinese')) / 1e6:.3f}" == "13.695"


@pytest.mark.parametrize(
    ("variant", "width", "t"),
    [("original", 100, 26), ("original", 32, 9), ("chinese", 256, 66), ("chinese", 100, 27)],
)
@torch.no_grad()
def test_frames(variant, width, t):
    net = CRNN(5, variant).eval()
    assert net(torch.zeros(1, 3, 32, width)).shape == (t, 1, 5)
    assert net.frames(width) == t
    assert net.frames(width - 1) == t  # a frame that is covered in part counts


@pytest.mark.parametrize(("variant", "rows"), [("original", 1), ("chinese", 8)])
@torch.no_grad()
def test_the_rows_that_are_left(variant, rows):
    assert CRNN(5, variant).encoder(torch.zeros(1, 3, 32, 64)).shape[2] == rows


@pytest.mark.parametrize(("variant", "normalized"), [("original", [5, 6]), ("chinese", [3, 5, 7])])
def test_where_batch_normalisation_stands(variant, normalized):
    layers = list(CRNN(5, variant).encoder)
    count, found = 0, []
    for layer, following in itertools.pairwise(layers):
        count += isinstance(layer, nn.Conv2d)
        if isinstance(following, nn.BatchNorm2d):
            assert isinstance(layer, nn.Conv2d)
            found.append(count)
    assert found == normalized


def test_the_convolutions_of_the_authors_code_start_at_a_deviation_of_2_percent():
    torch.manual_seed(0)
    for layer in CRNN(5, "chinese").encoder:
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)


@torch.no_grad()
def test_the_recurrent_part_reads_both_ways():
    torch.manual_seed(0)
    net = CRNN(5).eval()
    images = torch.randn(1, 3, 32, 256)
    changed = images.clone()
    changed[..., 124:132] = 1.0
    moved = (net.features(images) != net.features(changed)).any(2)[:, 0]
    assert moved[0] and moved[-1]  # the convolutions alone see at most 50 pixels away


def test_an_unknown_variant():
    with pytest.raises(ValueError, match="variant 'vgg': it is one of original, chinese"):
        CRNN(5, "vgg")
