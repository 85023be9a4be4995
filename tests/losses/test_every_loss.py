"""What holds for every regularised loss, whatever the form of its arguments."""

import copy
import math

import pytest
import torch

from dctc.losses import CTCLoss
from losses.every_loss import SUBJECTS
from oracle.gradient import value_and_gradient

pytestmark = pytest.mark.parametrize("subject", SUBJECTS, ids=str)
HALF = {torch.float16: 2e-3, torch.bfloat16: 1e-2}


def assert_same(found, expected, tolerance=1e-11):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_samples_do_not_see_each_other(subject, samples):
    loss = subject.loss()
    value = loss(*samples)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    logits, *rest = samples
    assert_same(loss(logits[:, order], *(part[order] for part in rest)), value[order])
    for i in range(7):
        alone = loss(logits[:, i : i + 1], *(part[i : i + 1] for part in rest))
        assert_same(alone, value[i : i + 1])


@pytest.mark.parametrize("garbage", [0.0, 50.0, -1e4, math.nan, math.inf])
def test_padded_frames_are_not_read(subject, samples, garbage):
    logits, targets, frames, lengths = samples
    value, gradient = value_and_gradient(subject.loss(), *samples)
    longer = torch.full((12, 7, 5), garbage, dtype=torch.float64)
    longer[:, :, 3] += 5
    for i, valid in enumerate(frames):
        longer[:valid, i] = logits[:valid, i]
    found, found_gradient = value_and_gradient(subject.loss(), longer, targets, frames, lengths)
    assert_same(found, value)
    assert_same(found_gradient[:9], gradient)
    for i, valid in enumerate(frames):
        assert found_gradient[valid:, i].abs().sum() == 0


def test_concatenated_targets_and_garbage_in_padding(subject, samples):
    logits, targets, frames, lengths = samples
    expected = value_and_gradient(subject.loss(), *samples)
    flat = torch.cat([row[:length] for row, length in zip(targets, lengths, strict=True)])
    assert_same(value_and_gradient(subject.loss(), logits, flat, frames, lengths), expected)
    wider = torch.full((7, 9), 99)
    for i, length in enumerate(lengths):
        wider[i, :length] = targets[i, :length]
    assert_same(value_and_gradient(subject.loss(), logits, wider, frames, lengths), expected)


def test_the_blank_may_be_any_class(subject, samples):
    logits, targets, *rest = samples
    value, gradient = value_and_gradient(subject.loss(), *samples)
    for blank in (2, 4):
        moved = (logits.roll(blank, 2), (targets + blank) % 5, *rest)
        found, found_gradient = value_and_gradient(subject.loss(blank), *moved)
        assert_same(found, value)
        assert_same(found_gradient.roll(-blank, 2), gradient)


def test_log_probabilities_are_as_good_as_logits(subject, samples):
    logits, *rest = samples
    assert_same(subject.loss()(logits.log_softmax(2), *rest), subject.loss()(*samples))


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_is_computed_in_float32(subject, samples, dtype):
    logits, *rest = samples
    half = logits.to(dtype)
    extras = subject.extras(half)  # the same numbers for both

    def in_float32(logits, *rest):
        loss = subject.make(reduction="none")
        return loss(logits, *rest, **{name: part.float() for name, part in extras.items()})

    value, gradient = value_and_gradient(subject.loss(), half, *rest)
    expected, expected_gradient = value_and_gradient(in_float32, half.float(), *rest)
    assert value.dtype == torch.float32 and gradient.dtype == dtype
    assert_same(value, expected, 1e-6)
    torch.testing.assert_close(gradient.float(), expected_gradient, rtol=HALF[dtype], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_of_the_loss_is_that_of_the_logits(subject, samples, dtype):
    logits, *rest = samples
    value, gradient = value_and_gradient(subject.loss(), logits.to(dtype), *rest)
    assert value.dtype == gradient.dtype == dtype
    expected, expected_gradient = value_and_gradient(subject.loss(), *samples)
    assert_same(value.double(), expected, 2e-5)
    assert_same(gradient.double(), expected_gradient, 2e-5)


def test_infeasible_and_empty_samples(subject, samples):
    value, gradient = value_and_gradient(subject.loss(), *samples)
    for i in (3, 5, 6):
        assert value[i] == 0
        assert gradient[:, i].abs().sum() == 0
    for i in (0, 1, 2, 4):
        assert value[i] != 0
        assert gradient[:, i].abs().sum() > 0


def test_terms_are_zero_where_the_label_does_not_fit(subject, samples):
    loss = subject.make(reduction="none")
    if not hasattr(loss, "terms"):
        pytest.skip("has no terms")
    terms = loss.terms(*samples, **subject.extras(samples.logits))
    assert terms.feasible.tolist() == [True, True, True, False, True, True, False]
    # samples 2 and 4 have a single path: no entropy over paths, and none that is too uneven
    sure = subject.name in ("enctc", "esctc", "enesctc")
    assert (terms.nll == 0).tolist() == [False, False, False, True, False, True, True]
    assert (terms.regularizer == 0).tolist() == [False, False, sure, True, sure, True, True]
    assert not terms.nll.requires_grad


def test_all_samples_infeasible(subject, samples):
    logits, *rest = (part[:, 3:4] if part.ndim == 3 else part[3:4] for part in samples)
    for reduction in ("none", "mean", "batchmean", "sum"):
        value, gradient = value_and_gradient(subject.loss(reduction=reduction), logits, *rest)
        assert value.abs().sum() == 0 and gradient.abs().sum() == 0


def test_reductions(subject, samples):
    value = subject.loss()(*samples)
    lengths = samples.target_lengths.clamp(min=1)
    assert_same(subject.loss(reduction="sum")(*samples), value.sum())
    assert_same(subject.loss(reduction="batchmean")(*samples), value.mean())
    assert_same(subject.loss(reduction="mean")(*samples), (value / lengths).mean())
    with pytest.raises(ValueError, match="reduction 'avg'"):
        subject.make(reduction="avg")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [30.0, 1e3, 1e4])
def test_extreme_logits_stay_finite(subject, samples, size, dtype):
    logits, *rest = samples
    for extreme in (size * logits.sign(), size * (logits == logits.amax(2, True)).double()):
        value, gradient = value_and_gradient(subject.loss(), extreme.to(dtype), *rest)
        assert value.isfinite().all()
        assert gradient.isfinite().all()


def test_classes_outside_the_label_may_be_impossible(subject, samples):
    logits, *rest = (part[:, :1] if part.ndim == 3 else part[:1] for part in samples)
    logits = logits.clone()
    logits[:, :, 4] = -math.inf  # sample 0 reads 1, 2, 3
    value, gradient = value_and_gradient(subject.loss(), logits, *rest)
    if subject.name == "label_smoothing":
        assert value.isinf().all()  # KL(u || P) is
        return
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient[:, :, 4].abs().sum() == 0
    nearly = logits.clamp(min=-200.0)
    assert_same((value, gradient), value_and_gradient(subject.loss(), nearly, *rest))


def test_an_impossible_label_adds_and_trains_nothing(subject, samples):
    logits, *rest = samples
    expected, expected_gradient = value_and_gradient(subject.loss(), *samples)
    logits = logits.clone()
    logits[:, 0, 1] = -math.inf  # sample 0 reads 1, 2, 3
    value, gradient = value_and_gradient(subject.loss(), logits, *rest)
    assert value[0] == 0 and gradient[:, 0].abs().sum() == 0
    assert_same((value[1:], gradient[:, 1:]), (expected[1:], expected_gradient[:, 1:]))
    loss, extras = subject.make(reduction="none"), subject.extras(logits)
    if hasattr(loss, "terms"):
        terms = loss.terms(logits, *rest, **extras)
        assert terms.feasible.tolist() == [False, True, True, False, True, True, False]
        assert terms.nll[0] == terms.regularizer[0] == 0


def test_no_statistics_of_what_is_impossible_or_not_finite(subject, samples):
    def state_after(*batches):
        loss = subject.make().train()
        for logits, *rest in batches:
            loss(logits, *rest, **subject.extras(logits))
        return list(loss.state_dict().values())

    others = [part[:, 1:] if part.ndim == 3 else part[1:] for part in samples]
    for value in (-math.inf, math.inf, math.nan):
        logits, *rest = samples
        logits = logits.clone()
        logits[:, 0, 1] = value
        alone = [part[:, :1] if part.ndim == 3 else part[:1] for part in (logits, *rest)]
        found = state_after((logits, *rest), alone, samples)
        assert_same(found, state_after(others, samples))


def test_without_weight_an_infinite_term_is_left_out(subject, samples):
    loss = subject.make(reduction="none")
    if not hasattr(loss, "weight"):
        pytest.skip("has no weight")
    loss.weight = 0.0
    finite, *rest = (part[:, :1] if part.ndim == 3 else part[:1] for part in samples)
    extras = subject.extras(finite)
    logits = finite.clone()
    logits[:, :, 4] = -math.inf  # sample 0 reads 1, 2, 3
    infinite = loss.terms(logits, *rest, **extras).regularizer.isinf().all()
    assert infinite == (subject.name in ("label_smoothing", "crctc", "distillation"))

    def ctc(logits, *rest):
        views = [logits, extras["second"]] if "second" in extras else [logits]
        return sum(CTCLoss(reduction="none")(view, *rest) for view in views) / len(views)

    found = value_and_gradient(lambda *args: loss(*args, **extras), logits, *rest)
    assert_same(found, value_and_gradient(ctc, logits, *rest))


def test_a_sample_with_nan_has_a_nan_loss_and_no_other_has(subject, samples):
    logits, *rest = samples
    expected = subject.loss()(*samples)
    logits = logits.clone()
    logits[2, 1, 3] = math.nan
    value, gradient = value_and_gradient(subject.loss(), logits, *rest)
    assert value.isnan().tolist() == [False, True, False, False, False, False, False]
    assert_same(value[2:], expected[2:])
    assert gradient[2, 1].isnan().any()


def test_validation_may_run_in_inference_mode(subject, samples):
    expected = subject.loss()(*samples)
    with torch.inference_mode():
        assert torch.equal(subject.loss()(*samples), expected)


def test_in_evaluation_what_is_needed_may_be_missing(subject, samples):
    loss = subject.make(reduction="none")
    extras = subject.extras(samples.logits)
    assert bool(getattr(loss, "needs", frozenset())) == bool(extras)
    if not extras:
        return
    assert loss.needs <= {"features", "views", "teacher"}
    (key,) = extras
    assert torch.equal(loss.eval()(*samples), loss.terms(*samples).nll)
    assert loss.terms(*samples).regularizer.abs().sum() == 0
    with pytest.raises(ValueError, match=f"{key}.*none"):
        loss.train()(*samples)
    with pytest.raises(ValueError, match=rf"{key}.*\(9, 7, 2\)"):
        loss(*samples, **{key: extras[key][:, :, :2]})


def test_what_a_loss_has_no_use_for_changes_nothing(subject, samples):
    loss, needs = subject.loss(), subject.make().needs
    unused = {"alignment": torch.full((2,), -9)}
    if "features" not in needs:
        unused["features"] = torch.full((1, 1), math.nan)
    expected = value_and_gradient(loss, *samples)
    found = value_and_gradient(lambda *arguments: loss(*arguments, **unused), *samples)
    for part, other in zip(found, expected, strict=True):
        assert torch.equal(part, other)


def test_views_and_teachers_are_refused_where_they_teach_nothing(subject, samples):
    loss = subject.make()
    for name, need in (("second", "views"), ("teacher", "teacher")):
        if need not in loss.needs:
            with pytest.raises(TypeError, match=f"{type(loss).__name__} takes no {name}"):
                loss(*samples, **{name: samples.logits})


def test_options_are_shown_in_print(subject, samples):
    loss = subject.make()
    shown = f"{type(loss).__name__}({subject.options}blank=0, reduction='batchmean')"
    assert repr(loss) == shown


def test_gradient_is_that_of_the_value(subject, samples):
    logits, *rest = samples
    extras = subject.extras(logits)
    if subject.name == "crctc":
        extras["second"] = logits  # where nothing is apart, what is stopped is 0
    loss = subject.make(reduction="none")
    _, gradient = value_and_gradient(lambda x, *rest: loss(x, *rest, **extras), *samples)
    weight, step = torch.arange(1, 8), 1e-5
    for seed in range(3):
        way = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
        ahead, back = (loss(logits + s * way, *rest, **extras) for s in (step, -step))
        expected = ((ahead - back) / (2 * step) * weight).sum()
        assert_same((gradient * way).sum(), expected, 1e-6)


def test_a_second_derivative_is_refused(subject, samples):
    logits, *rest = samples
    logits = logits.clone().requires_grad_()
    value = subject.loss()(logits, *rest).sum()
    (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.square().sum().backward()


def test_copies_and_checkpoints(subject, samples):
    loss = subject.make(reduction="none")
    extras = subject.extras(samples.logits)
    assert list(loss.parameters()) == []
    assert list(loss.state_dict()) == {"center": ["centers"], "prior": ["prior"]}.get(
        subject.name, []
    )
    again = copy.deepcopy(loss)
    again.load_state_dict(loss.state_dict())
    assert torch.equal(again(*samples, **extras), loss(*samples, **extras))
    assert type(loss).__name__ in repr(loss) and "reduction='none'" in repr(loss)
