import numpy as np
import pytest
import torch
from torch import nn

from dctc.models import CRNN, AttentionRecognizer, TimmRecognizer
from dctc.models.attention import _sinusoids

IMAGES = torch.rand(3, 3, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
FRAMES = torch.tensor([16, 7, 1])
TARGETS = torch.tensor([[5, 5, 3, 8], [2, 7, 0, 0], [1, 0, 0, 0]])


def make(seed=0, **options):
    torch.manual_seed(seed)
    options = {"size": 32, "layers": 2, "heads": 2, "max_length": 6, **options}
    net = AttentionRecognizer(11, **options).eval()
    for parameter in (net.positions, net.head.weight):  # so that readings vary
        nn.init.normal_(parameter, std=1.0)
    return net


@pytest.fixture(scope="module")
def net():
    return make()


@torch.no_grad()
def test_no_character_is_told_before_it_is_read(net):
    features = net.features(IMAGES)
    scores = net.teach(features, TARGETS)
    for k in range(4):
        other = TARGETS.clone()
        other[:, k] = (other[:, k] + 1) % 11
        changed = (net.teach(features, other) - scores).abs().amax((1, 2))  # (s + 1,)
        assert not changed[: k + 1].any() and (changed[k + 1 :] > 1e-4).all()


@torch.no_grad()
@pytest.mark.parametrize("seed", range(3))
def test_greedy_reading_is_the_chain_of_best_characters(seed):
    net = make(seed=seed)
    features = 3 * torch.randn(16, 3, 32)
    scores = net.decode(features, FRAMES)
    readings = []
    for i in range(3):  # each image alone, without the features that are masked
        alone = features[: FRAMES[i], i : i + 1]
        read: list[int] = []
        while len(read) <= net.max_length:
            last = net.teach(alone, torch.tensor([read], dtype=torch.int64))[-1, 0]
            torch.testing.assert_close(scores[len(read), i], last, rtol=1e-4, atol=1e-5)
            if last.argmax() == 0:
                break
            read.append(int(last.argmax()))
        readings.append(read)
    assert len({tuple(reading) for reading in readings}) > 1
    assert len(scores) == min(max(map(len, readings)), net.max_length) + 1


@torch.no_grad()
def test_reading_ends_when_all_have_ended():
    net = make()
    net.head.weight.zero_()
    net.head.bias.copy_(torch.arange(11) == 0)
    assert len(net(IMAGES)) == 1
    net.head.bias.copy_(torch.arange(11) == 4)
    assert len(net(IMAGES)) == 7


@torch.no_grad()
def test_attention_sums_to_one_and_vanishes_past_the_valid_frames(net):
    width = torch.tensor([64, 26, 1])
    looks = net.attention(IMAGES, TARGETS, width)
    torch.testing.assert_close(looks.sum(2), torch.ones(3, 4))
    for row, frames in zip(looks, FRAMES, strict=True):  # 64, 26 and 1 pixels
        assert (row[:, :frames] > 0).all() and not row[:, frames:].any()
    whole = net.attention(IMAGES, TARGETS)
    assert (whole > 0).all()


@torch.no_grad()
def test_attention_points_at_the_frame_that_a_position_asks_for():
    net = make(layers=1, heads=1)
    layer = net.decoder[0]
    query, key, _ = layer.frames.in_proj_weight.view(3, 32, 32)
    query.copy_(torch.eye(32))
    key.copy_(30 * torch.eye(32))
    layer.norms[1] = nn.Identity()
    layer.characters.out_proj.weight.zero_()
    net.begin.zero_()
    net.embedding.weight.zero_()
    net.positions[:4, 0] = torch.eye(32)[[3, 0, 9, 9]]
    net.features = lambda images: torch.eye(32)[:16, None].expand(-1, len(images), -1)
    looks = net.attention(IMAGES, TARGETS)
    assert looks.argmax(2).tolist() == [[3, 0, 9, 9]] * 3


def test_frame_positions_are_those_of_the_paper():
    waves = _sinusoids(torch.zeros(9, 1, 6))[:, 0].numpy()
    for frame in range(9):
        for i in range(3):
            angle = frame / 10_000 ** (2 * i / 6)
            expected = [np.sin(angle), np.cos(angle)]
            np.testing.assert_allclose(waves[frame, 2 * i : 2 * i + 2], expected, atol=1e-6)


def test_any_recogniser_can_be_the_encoder():
    encoder = CRNN(5, in_chans=1)
    net = AttentionRecognizer(37, encoder, size=16, heads=2)
    assert net.in_chans == 1 and net.frames(100) == 26
    assert net.features(torch.zeros(1, 1, 32, 100)).shape == (26, 1, 16)
    assert not any("encoder.head" in name for name, _ in net.named_parameters())
    named = AttentionRecognizer(37, "mobilenetv3_small_100")
    assert isinstance(named.encoder, TimmRecognizer) and named.num_classes == 37


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 30, "heads": 4}, "size 30: an even multiple of heads, 4"),
        ({"size": 9, "heads": 3}, "size 9: an even multiple"),
        ({"encoder": nn.Linear(3, 3)}, "encoder Linear: a recogniser with an nn.Linear as head"),
        ({"encoder": "resnet17"}, "timm has no such model"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AttentionRecognizer(37, **options)
