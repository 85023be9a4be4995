"""Sizes and costs against numbers worked out by hand."""

import pytest
import torch
from torch import nn

from dctc.bench.describe import (
    _table,
    arm,
    count_flops,
    count_parameters,
    describe,
    inference_step,
    noise,
    train_step,
)
from dctc.bench.measure import interleaved
from dctc.losses import CTCLoss, DCTCLoss, DistillationCTCLoss
from dctc.models import SVTR, AttentionRecognizer, TimmRecognizer
from dctc.runs.net import Loaded
from dctc.text import CTCTokenizer
from tiny import HEIGHT, WIDTH, FeatureNet, TinyNet, same_weights, weights

CPU = torch.device("cpu")


@pytest.fixture
def loaded():
    torch.manual_seed(0)
    return Loaded(FeatureNet(37), CTCTokenizer("36"), "english36", (3, HEIGHT, WIDTH), False)


# a kernel of 8x8 over 3 channels into 16, 17 positions (padding 2, stride 4); 16 to 37 classes
PARAMETERS = 16 * 3 * 8 * 8 + 16 + 16 * 37 + 37
FLOPS = 2 * 16 * (16 * 3 * 8 * 8 + 16 * 37)


def test_shared_parameters_count_once():
    layer = nn.Linear(3, 2)
    assert count_parameters(nn.ModuleList([layer, layer])) == 8


def test_flops_count_the_lstm():
    size, hidden, frames = 5, 7, 4
    lstm = nn.LSTM(size, hidden, bidirectional=True)
    net = nn.Sequential(nn.Flatten(0, 2), lstm)  # (t, w) of an image (1, 1, t, w)
    # per frame and direction: 4 gates from the input and from the state
    assert count_flops(net, (1, frames, size)) == 2 * frames * 2 * 4 * hidden * (size + hidden)


def test_flops_count_attention():
    n, d = 6, 8
    net = nn.Sequential(nn.Flatten(0, 1), _Attention())
    # q k^T and the weighted sum of v
    assert count_flops(net, (1, n, d)) == 2 * 2 * n * n * d


class _Attention(nn.Module):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


def test_flops_of_a_net_with_a_rectifier():
    plain, rectified = (SVTR(37, "micro", width=64, rectifier=on).eval() for on in (False, True))
    assert count_flops(rectified, (3, 64, 256)) > count_flops(plain, (3, 32, 64))


def test_short_readings_and_combining_marks(tmp_path):
    # two vowel signs that compose, and two jamo
    signs = "ab\N{COMBINING ACUTE ACCENT}\u0bc6\u0bbe\u1100\u1161"
    (tmp_path / "chars.txt").write_text("\n".join(signs))
    tokenizer = CTCTokenizer(str(tmp_path / "chars.txt"))
    net = AttentionRecognizer(8, FeatureNet(1), size=16, heads=2, max_length=3)
    loaded = Loaded(net, tokenizer, "verbatim", (3, HEIGHT, WIDTH), False)
    assert describe(loaded, CPU, batch_size=8, limit_s=0.0)["classes"] == 8


def test_a_conv_and_a_linear_layer_are_described_and_left_as_they_were(loaded):
    before = weights(loaded.net)
    loaded.net.train()
    d = describe(loaded, CPU, batch_size=3, limit_s=0.0)
    expected = {"parameters": PARAMETERS, "flops": FLOPS, "frames": 16, "stride": 4.0}
    expected |= {"features": 16, "classes": 37, "image": (3, HEIGHT, WIDTH), "batch_size": 3}
    assert d.items() >= expected.items()
    assert d["train_peak_bytes"] >= 4 * PARAMETERS  # the gradients alone
    assert d["inference_images_per_s"] > 0 < d["train_images_per_s"]
    assert loaded.net.training
    assert all(value.device.type == "cpu" for value in loaded.net.parameters())
    assert same_weights(weights(loaded.net), before)


def test_a_net_without_features_apart_is_described_too():
    loaded = Loaded(TinyNet(37), CTCTokenizer("36"), "english36", (3, HEIGHT, WIDTH), False)
    d = describe(loaded, CPU, batch_size=2, limit_s=0.0)
    assert d["features"] is None and d["parameters"] == PARAMETERS
    assert not any(row[0] == "features d" for row in _table("tiny", d).rows)


def test_a_net_that_reads_by_attention_is_described_too():
    torch.manual_seed(0)
    net = AttentionRecognizer(37, size=8, heads=2)
    loaded = Loaded(net, CTCTokenizer("36"), "english36", (3, 32, 32), False)
    d = describe(loaded, CPU, batch_size=2, limit_s=0.0)
    assert (d["frames"], d["features"]) == (8, 8)
    assert d["flops"] > count_flops(TimmRecognizer(1), (3, 32, 32))


@pytest.mark.parametrize("loss", [CTCLoss, DCTCLoss])
def test_a_step_trains_every_weight_and_leaves_no_gradient(loaded, loss):
    module = arm(loaded, loss())
    assert module.net is not loaded.net
    seen = []
    for parameter in module.parameters():
        parameter.register_hook(lambda gradient: seen.append(gradient.abs().sum().item()))
    train_step(module, noise(2, loaded, CPU))()
    assert len(seen) == 4 and all(seen)
    assert all(parameter.grad is None for parameter in module.parameters())


def test_the_teacher_follows_in_a_step(loaded):
    module = arm(loaded, DistillationCTCLoss(teacher_decay=0.5))
    for weight in module.teacher.module.parameters():
        weight.zero_()
    train_step(module, noise(2, loaded, CPU))()
    pairs = zip(module.teacher.module.parameters(), module.net.parameters(), strict=True)
    for mean, weight in pairs:
        torch.testing.assert_close(mean, weight.detach() / 2)


def test_inference_is_in_evaluation_mode_without_gradient(loaded):
    module = arm(loaded, CTCLoss()).train()
    found = []
    module.net.register_forward_hook(
        lambda net, _, logits: found.append((net.training, logits.requires_grad, logits.shape))
    )
    inference_step(module, noise(2, loaded, CPU).image)()
    assert found == [(False, False, (16, 2, 37))]


def test_turns_go_forth_and_back_and_end_at_the_limit():
    order = []
    interleaved({name: lambda name=name: order.append(name) for name in "abc"}, 2, CPU)
    assert "".join(order) == "abc" + "cba" + "abc"
    order.clear()
    seconds = interleaved({"a": lambda: order.append("a")}, 50, CPU, limit_s=0.0)
    assert len(order) == 2 and seconds["a"] >= 0  # a warm-up, and one turn in any case
