"""What holds for every CTC loss of the package, whatever the form of its arguments."""

import math

import pytest
import torch

from dctc import CTCLoss, DCTCLoss
from dctc.ctc import ESTIMATORS
from oracle.gradient import value_and_gradient

LOSSES = [CTCLoss(reduction="none")] + [
    DCTCLoss(0.3, 0.7, estimator, reduction="none") for estimator in ESTIMATORS
]
pytestmark = pytest.mark.parametrize(
    "loss", LOSSES, ids=lambda loss: getattr(loss, "estimator", "ctc")
)


def assert_same(found, expected, **tolerance):
    torch.testing.assert_close(found, expected, **(tolerance or {"rtol": 1e-12, "atol": 1e-12}))


def test_samples_do_not_see_each_other(loss, samples):
    value = loss(*samples)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    logits, *rest = samples
    assert_same(loss(logits[:, order], *(part[order] for part in rest)), value[order])
    for i in range(7):
        alone = loss(logits[:, i : i + 1], *(part[i : i + 1] for part in rest))
        assert_same(alone, value[i : i + 1])


@pytest.mark.parametrize("garbage", [0.0, 50.0, -1e4, math.nan, math.inf])
def test_padded_frames_are_not_read(loss, samples, garbage):
    logits, targets, frames, lengths = samples
    value, gradient = value_and_gradient(loss, *samples)
    longer = torch.full((12, 7, 5), garbage, dtype=torch.float64)
    longer[:, :, 3] += 5
    for i, valid in enumerate(frames):
        longer[:valid, i] = logits[:valid, i]
    found, found_gradient = value_and_gradient(loss, longer, targets, frames, lengths)
    assert_same(found, value)
    assert_same(found_gradient[:9], gradient)
    assert found_gradient[9:].abs().sum() == 0
    for i, valid in enumerate(frames):
        assert found_gradient[valid:, i].abs().sum() == 0
        assert (loss.terms(longer, targets, frames, lengths).alignment[valid:, i] == -1).all()


@pytest.mark.parametrize("garbage", [0, 1, -1, 99])
def test_padded_columns_are_not_read(loss, samples, garbage):
    logits, targets, frames, lengths = samples
    wider = torch.full((7, 9), garbage)
    for i, length in enumerate(lengths):
        wider[i, :length] = targets[i, :length]
    found = value_and_gradient(loss, logits, wider, frames, lengths)
    assert_same(found, value_and_gradient(loss, *samples))


def test_concatenated_targets(loss, samples):
    logits, targets, frames, lengths = samples
    flat = torch.cat([row[:length] for row, length in zip(targets, lengths, strict=True)])
    found = value_and_gradient(loss, logits, flat, frames, lengths)
    assert_same(found, value_and_gradient(loss, *samples))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
@pytest.mark.parametrize("form", [tuple, list, torch.tensor])
def test_forms_of_the_integers(loss, samples, form, dtype):
    logits, targets, frames, lengths = samples
    found = loss(logits, targets.to(dtype), form(frames.tolist()), form(lengths.tolist()))
    assert torch.equal(found, loss(*samples))


def test_log_probabilities_are_as_good_as_logits(loss, samples):
    logits, *rest = samples
    assert_same(loss(logits.log_softmax(2), *rest), loss(*samples))
    assert_same(loss(logits + torch.linspace(-9, 9, 9)[:, None, None], *rest), loss(*samples))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss, samples, dtype):
    logits, *rest = samples
    half = logits.to(dtype)
    value, gradient = value_and_gradient(loss, half, *rest)
    expected, expected_gradient = value_and_gradient(loss, half.float(), *rest)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)
    assert torch.equal(gradient, expected_gradient.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_of_the_loss_is_that_of_the_logits(loss, samples, dtype):
    logits, *rest = samples
    value, gradient = value_and_gradient(loss, logits.to(dtype), *rest)
    assert value.dtype == gradient.dtype == dtype
    tolerance = {"rtol": 1e-5, "atol": 5e-6, "check_dtype": False}
    assert_same((value, gradient), value_and_gradient(loss, *samples), **tolerance)


def test_infeasible_and_empty_samples(loss, samples):
    value, gradient = value_and_gradient(loss, *samples)
    terms = loss.terms(*samples)
    # infeasible: three equal characters in four frames; one character in none
    assert terms.feasible.tolist() == [True, True, True, False, True, True, False]
    for i in (3, 5, 6):  # sample 5 has an empty label and no frames: probability 1
        assert value[i] == terms.nll[i] == terms.distill[i] == 0
        assert gradient[:, i].abs().sum() == 0
    # the empty label reads blank at all frames, so both terms are the same number
    expected = -samples.logits.log_softmax(2)[:6, 4, 0].sum()
    assert_same(terms.nll[4], expected)
    if getattr(loss, "estimator", "likelihood") != "greedy":
        assert_same(terms.distill[4], expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [30.0, 1e3, 1e4])
def test_extreme_logits_stay_finite(loss, samples, size, dtype):
    logits, *rest = samples
    for extreme in (size * logits.sign(), size * (logits == logits.amax(2, True)).double()):
        value, gradient = value_and_gradient(loss, extreme.to(dtype), *rest)
        assert value.isfinite().all()
        assert gradient.isfinite().all()
        assert value.max() > 1


def test_classes_outside_the_label_may_be_impossible(loss, samples):
    logits, *rest = (part[:, :3] if part.ndim == 3 else part[:3] for part in samples)
    logits = torch.cat((logits, torch.full((9, 3, 2), -math.inf)), 2)
    value, gradient = value_and_gradient(loss, logits, *rest)
    expected, expected_gradient = value_and_gradient(loss, logits[:, :, :5], *rest)
    assert_same(value, expected)
    assert_same(gradient[:, :, :5], expected_gradient)
    assert gradient[:, :, 5:].abs().sum() == 0


def test_an_impossible_label_is_not_feasible(loss, samples):
    logits, *rest = samples
    logits = logits.clone()
    logits[:8, 0, 1] = -math.inf  # sample 0 reads 1, 2, 3, so that 1 cannot come last
    value, gradient = value_and_gradient(loss, logits, *rest)
    assert value[0] == 0 and gradient[:, 0].abs().sum() == 0
    assert_same(value[1:], loss(*samples)[1:])
    feasible = loss.terms(logits, *rest).feasible
    assert feasible.tolist() == [False, True, True, False, True, True, False]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_sample_with_nan_has_a_nan_loss_and_no_other_has(loss, samples, bad):
    logits, *rest = samples
    expected = loss(*samples)
    logits = logits.clone()
    logits[2, 1, 3] = bad
    value, gradient = value_and_gradient(loss, logits, *rest)
    assert value.isnan().tolist() == [False, True, False, False, False, False, False]
    assert torch.equal(value[2:], expected[2:])
    assert gradient[2, 1].isnan().any()


def test_validation_may_run_in_inference_mode(loss, samples):
    expected = loss(*samples)
    with torch.inference_mode():
        assert torch.equal(loss(*samples), expected)
        assert loss.terms(*samples).alignment.shape == (9, 7)


def test_a_second_derivative_is_refused(loss, samples):
    logits, *rest = samples
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, *rest).sum(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.square().sum().backward()


def test_same_bits_from_run_to_run(loss, samples):
    logits, *rest = samples
    wide = logits.float().repeat(1, 8, 20)
    rest = [torch.cat([part] * 8) for part in rest]
    first = value_and_gradient(loss, wide, *rest)
    for _ in range(3):
        again = value_and_gradient(loss, wide, *rest)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])


def test_nothing_is_stored_in_a_checkpoint(loss):
    assert loss.state_dict() == {}
    assert list(loss.parameters()) == []
