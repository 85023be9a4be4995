"""The Triton kernels against the torch operations, in Triton's interpreter or on a GPU.

Not collected with the other tests: ``test_triton.py`` runs this file in a process of its own, since
triton must find TRITON_INTERPRET in the environment when it is first imported.
"""

import math
import os
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from dctc import CTCLoss, DCTCLoss, dctc_linear_loss
from dctc.bench.measure import Launches
from dctc.ctc import ESTIMATORS, ctc_terms, kernels, linear, pack_labels, triton_kernels
from losses.every_loss import NAMES, extras, make

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"
LABELS = [[1, 2, 3], [2, 2, 1, 1], [4, 4, 3, 4], [1, 1, 1], [], [], [3], [3, 1, 3]]
FRAMES = [6, 6, 6, 4, 5, 0, 0, 3]  # the fourth and the seventh do not fit


class Batch(NamedTuple):
    """Logits ``(t, n, c)`` and the other arguments of a loss."""

    logits: Tensor
    targets: Tensor
    frames: list[int]
    lengths: list[int]


class Outcome(NamedTuple):
    """What a path gives."""

    nll: Tensor
    distill: Tensor
    alignment: Tensor
    gradient: Tensor


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """13 classes are two blocks of 8, the last one not full."""
    monkeypatch.setattr(triton_kernels, "CLASSES", 8)


def batch(dtype=torch.float64, blank=0, spread=2.0, c=13):
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(spread * rng.standard_normal((6, 8, c)))
    targets = torch.zeros(8, 4, dtype=torch.int64)
    for row, label in zip(targets, LABELS, strict=True):
        row[: len(label)] = (torch.tensor(label, dtype=torch.int64) + blank) % c
    return Batch(logits.to(DEVICE, dtype), targets, FRAMES, [len(label) for label in LABELS])


def outcome(path, data, blank=0, alpha=0.3, beta=0.7, **options):
    """Run one path; the gradient is that of ``beta nll + alpha distill``, another per sample."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "KERNELS", path)
        logits = data.logits.detach().requires_grad_()
        labels = pack_labels(logits, *data[1:], blank)
        terms = ctc_terms(logits, labels, blank, **options)
        weight = torch.linspace(0.5, 1.0, len(terms.nll), device=DEVICE)
        ((beta * terms.nll + alpha * terms.distill) * weight).sum().backward()
    return Outcome(terms.nll.detach(), terms.distill.detach(), terms.alignment, logits.grad)


def assert_same(found, expected, gradient_atol=None):
    exact = expected.nll.dtype == torch.float64
    rtol, atol = (1e-12, 1e-12) if exact else (1e-5, 1e-6)
    for part in ("nll", "distill"):
        torch.testing.assert_close(
            getattr(found, part), getattr(expected, part), rtol=rtol, atol=atol, equal_nan=True
        )
    assert torch.equal(found.alignment, expected.alignment)
    atol = gradient_atol or (1e-12 if exact else 1e-6)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=atol, equal_nan=True)
    assert torch.equal((found.gradient == 0).all(2), (expected.gradient == 0).all(2))


def compare(data, **options):
    found, expected = (outcome(path, data, **options) for path in ("triton", "torch"))
    assert_same(found, expected)
    return found


@pytest.mark.parametrize(
    "loss",
    [CTCLoss(), DCTCLoss(), DCTCLoss(estimator="posterior"), dctc_linear_loss],
    ids=["ctc", "dctc", "posterior", "linear"],
)
def test_few_launches_and_no_waits(loss, monkeypatch):
    """Labels are packed on the CPU: what is counted is what a GPU does, but for moving them."""
    monkeypatch.setattr(kernels, "KERNELS", "triton")
    data = batch(torch.float32)
    packed = pack_labels(*data, 0)
    monkeypatch.setattr("dctc.losses.base.pack_labels", lambda *_: packed)
    moving, features = 1, torch.randn(6, 8, 3, device=DEVICE)

    def count(chunk):
        monkeypatch.setattr(linear, "CHUNK", chunk)
        weight = torch.randn(13, 3, device=DEVICE, requires_grad=True)
        logits = data.logits.detach().requires_grad_()
        with Launches(torch.device(DEVICE)).counting() as counted:
            if loss is dctc_linear_loss:
                loss(features, weight, None, *data[1:]).backward()
            else:
                loss(logits, *data[1:]).backward()
        assert not +counted.waits
        return counted.launches

    launches = count(2**23)
    if loss is dctc_linear_loss:
        six = count(1)  # one frame each
        assert (six.total() - launches.total()) / 5 <= 20, (six, launches)
    else:
        assert {k: v for k, v in launches.items() if k.startswith("_")} == dict.fromkeys(
            ("_emissions", "_forward_backward", "_frame_terms", "_gradient"), 1
        )
        assert launches.total() + moving <= 11, launches


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator(estimator, dtype):
    found = compare(batch(dtype), estimator=estimator)
    assert found.gradient.dtype == found.nll.dtype == dtype
    for i, frames in enumerate([6, 6, 6, 0, 5, 0, 0, 3]):
        assert (found.alignment[:, i] >= 0).sum() == frames


@pytest.mark.parametrize(
    "options",
    [
        *({"margin": m, "scale": s} for m, s in ((0.0, 2.5), (0.4, 1.0), (-0.3, 1.7), (0.1, 0.1))),
        *({"blank": blank} for blank in (1, 12)),
        *({"alpha": alpha, "beta": 1 - alpha} for alpha in (1.0, 0.0)),
    ],
    ids=str,
)
def test_options(options):
    compare(batch(blank=options.get("blank", 0)), **options)


@pytest.mark.parametrize("c, block", [(5, 8), (16, 8), (13, 1024)])
def test_numbers_of_classes(c, block, monkeypatch):
    monkeypatch.setattr(triton_kernels, "CLASSES", block)
    compare(batch(c=c))


def test_weights_that_cancel():
    """P falls out of the gradient, but for what the sum of a posterior is rounded by."""
    found, expected = (outcome(path, batch(), alpha=-0.7, beta=0.7) for path in ("triton", "torch"))
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=1e-12)
    assert expected.gradient.abs().max() > 0.1


def test_a_given_alignment():
    rng = np.random.default_rng(1)
    given = torch.from_numpy(rng.integers(-1, 13, (6, 8))).to(DEVICE)
    compare(batch(), alignment=given)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss(name, monkeypatch):
    rng = np.random.default_rng(3)
    logits = torch.from_numpy(rng.standard_normal((9, 4, 5))).to(DEVICE)
    # with frames to spare, so that a frame may belong to either of two equal characters
    targets = torch.tensor([[2, 2, 0], [1, 2, 1], [3, 3, 3], [1, 2, 3]])
    found = []
    for path in ("triton", "torch"):
        monkeypatch.setattr(kernels, "KERNELS", path)
        loss = make(name).to(DEVICE)
        logits = logits.detach().requires_grad_()
        value = loss(logits, targets, [9] * 4, [2, 3, 3, 3], **extras(loss, logits))
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        found.append((value.detach(), gradient))
    torch.testing.assert_close(*found, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    half = batch(dtype)
    found = outcome("triton", half)
    exact = outcome("triton", half._replace(logits=half.logits.float()))
    if DEVICE == "cpu" and dtype == torch.bfloat16:  # Triton's interpreter truncates to bfloat16
        torch.testing.assert_close(found.gradient.float(), exact.gradient, rtol=2**-7, atol=2**-126)
    else:
        assert torch.equal(found.gradient, exact.gradient.to(dtype))
    assert_same(found._replace(gradient=exact.gradient), exact)
    reference = outcome("torch", half._replace(logits=half.logits.float()))
    assert_same(exact, reference)


@pytest.mark.parametrize(
    "bad, where",  # frame 2 of sample 0 is valid, 5 of 7 is padding, sample 3 does not fit
    [
        (math.nan, (2, 0)),
        (math.inf, (2, 0)),
        (-math.inf, (2, 0)),
        (math.nan, (5, 7)),
        (-math.inf, (5, 7)),
        (math.inf, (1, 3)),
        (math.nan, (2, 1, 11)),  # of one class
    ],
)
def test_a_frame_without_softmax_spoils_its_sample_alone(bad, where):
    data = batch()
    logits = data.logits.clone()
    logits[where] = bad
    found = compare(data._replace(logits=logits))
    spoilt = torch.zeros(8, dtype=torch.bool, device=DEVICE)
    spoilt[where[1]] = where[0] == 2
    assert torch.equal(found.nll.isnan(), spoilt)
    assert torch.equal(found.gradient.isnan().any(2).any(0), spoilt)


@pytest.mark.parametrize("never", [-math.inf, torch.finfo(torch.float32).min])
def test_classes_may_be_impossible(never):
    data = batch()
    logits = data.logits.clone()
    logits[:, :, 6:] = never  # in no label
    logits[0, :, 3] = never
    logits[4, 0, 0] = never
    logits[:, 2, 4] = never  # this label has probability 0
    found = compare(data._replace(logits=logits))
    assert found.nll[2] == 0 < found.nll[0]


@pytest.mark.parametrize(
    "spread, dtype",
    [(0.0, torch.float32), (30.0, torch.float32), (1e4, torch.float32), (1e3, torch.float64)],
)
def test_extreme_logits(spread, dtype):
    # not z* by likelihood: where P is 1 and 0, gamma/P ties and rounding decides
    data = batch(dtype, spread=spread)
    found, expected = (outcome(k, data, estimator="viterbi") for k in ("triton", "torch"))
    assert all(part.isfinite().all() for part in found)
    assert_same(found._replace(gradient=expected.gradient), expected)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=1e-6)


@pytest.mark.parametrize("height", [10.0, 25.0])
def test_confident_float32_outputs_are_aligned_as_float64_ones(height):
    rng = np.random.default_rng(0)
    spikes = np.zeros((10, 4), dtype=np.int64)
    spikes[1::4] = rng.integers(1, 12, (3, 4))
    logits = rng.standard_normal((10, 4, 12)) + height * np.eye(12)[spikes]
    logits = torch.from_numpy(logits.astype(np.float32)).to(DEVICE)
    data = Batch(logits, torch.from_numpy(spikes[1::4].T.copy()), [10] * 4, [3] * 4)
    exact = data._replace(logits=logits.double())
    for estimator in ("likelihood", "greedy"):
        found = outcome("triton", data, estimator=estimator)
        expected = outcome("torch", exact, estimator=estimator)
        assert torch.equal(found.alignment, expected.alignment)
        torch.testing.assert_close(found.nll.double(), expected.nll, rtol=1e-5, atol=1e-9)
        torch.testing.assert_close(found.gradient.double(), expected.gradient, rtol=0, atol=1e-6)


def test_what_is_left_beside_a_dominant_class_keeps_its_accuracy():
    logits = torch.zeros((1, 1, 13), dtype=torch.float64, device=DEVICE)
    labels = pack_labels(logits, [[1]], [1], [1], 0)
    logits[0, 0, 4] = 50.0  # in float64, 1 + 12 exp(-50) is 1
    rest = triton_kernels.emissions(logits, labels, 0, 1.0)[0].rest.item()
    assert rest == pytest.approx(12 * math.exp(-50.0), rel=1e-12)
    logits[0, 0, 7] = 50.0  # a second class at the peak
    rest = triton_kernels.emissions(logits, labels, 0, 1.0)[0].rest.item()
    assert rest == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 1, 0)], ids=["n first", "c first"])
def test_other_memory_orders(order):
    data = batch()
    back = sorted(range(3), key=order.__getitem__)
    logits = data.logits.permute(order).contiguous().permute(back)
    assert not logits.is_contiguous()
    assert torch.equal(logits, data.logits)
    found = compare(data._replace(logits=logits))
    assert found.gradient.stride() == logits.stride()


def test_a_long_label():
    rng = np.random.default_rng(2)
    label = torch.from_numpy(rng.integers(1, 5, (1, 65)))  # more than 64 columns, many repeats
    logits = torch.from_numpy(rng.standard_normal((95, 1, 6))).to(DEVICE)
    assert compare(Batch(logits, label, [94], [65])).nll > 0


def test_same_bits_from_run_to_run():
    data = batch(torch.float32)
    first, again = outcome("triton", data), outcome("triton", data)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
