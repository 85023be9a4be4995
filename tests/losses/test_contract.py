"""What holds for every CTC loss of the package, whatever the form of its arguments."""

import copy
import inspect
import math

import pytest
import torch

from dctc.ctc import LinearLogits
from dctc.losses import CTCLoss
from dctc.losses.base import CLASS, Range
from losses.every_loss import NAMES, bound, extras, make
from oracle.gradient import value_and_gradient

pytestmark = pytest.mark.parametrize("name", NAMES)
HALF = {torch.float16: 2e-3, torch.bfloat16: 1e-2}
TERMS = [name for name in NAMES if name not in ("focal", "ace", "prior")]  # that are sums of terms
FEASIBLE = [True, True, True, False, True, True, False]  # of the samples


def assert_same(found, expected, tolerance=1e-11):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def is_ctc(name):
    """Whether the loss is CTC or DCTC, which have an alignment."""
    return name == "ctc" or name.startswith("dctc")


def test_samples_do_not_see_each_other(name, samples):
    loss = bound(name)
    value = loss(*samples)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    assert_same(loss(*samples.only(order)), value[order])
    for i in range(7):
        assert_same(loss(*samples.only(slice(i, i + 1))), value[i : i + 1])


@pytest.mark.parametrize("garbage", [0.0, 50.0, -1e4, math.nan, math.inf])
def test_padded_frames_are_not_read(name, samples, garbage):
    logits, *rest = samples
    value, gradient = value_and_gradient(bound(name), *samples)
    longer = torch.full((12, 7, 5), garbage, dtype=torch.float64)
    longer[:, :, 3] += 5
    padded = torch.arange(12)[:, None] >= samples.input_lengths
    longer[:9] = torch.where(padded[:9, :, None], longer[:9], logits)
    found, found_gradient = value_and_gradient(bound(name), longer, *rest)
    assert_same(found, value)
    assert_same(found_gradient[:9], gradient)
    assert not found_gradient[padded].any()
    if is_ctc(name):
        assert (make(name).terms(longer, *rest).alignment[padded] == -1).all()


def test_a_linear_layer_in_place_of_its_logits(name, samples):
    generator = torch.Generator().manual_seed(2)
    shapes = ((9, 7, 3), (5, 3), (5,))
    layer = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    loss, results = make(name), []
    given = extras(loss, torch.nn.functional.linear(*layer))
    for form in (torch.nn.functional.linear, LinearLogits.of):
        inputs = [x.clone().requires_grad_() for x in layer]
        value = loss(form(*inputs), *samples[1:], **given)
        results.append((value.detach(), torch.autograd.grad(value.sum(), inputs)))
    assert_same(results[1], results[0])


@pytest.mark.parametrize("garbage", [0, 1, -1, 99])
def test_concatenated_targets_and_garbage_in_padding(name, samples, garbage):
    logits, targets, frames, lengths = samples
    expected = value_and_gradient(bound(name), *samples)
    inside = torch.arange(4) < lengths[:, None]
    found = value_and_gradient(bound(name), logits, targets[inside], frames, lengths)
    assert_same(found, expected)
    wider = torch.full((7, 9), garbage)
    wider[:, :4] = targets.where(inside, garbage)
    assert_same(value_and_gradient(bound(name), logits, wider, frames, lengths), expected)


def test_the_blank_may_be_any_class(name, samples):
    logits, targets, *rest = samples
    value, gradient = value_and_gradient(bound(name), *samples)
    for blank in (2, 4):
        moved = (logits.roll(blank, 2), (targets + blank) % 5, *rest)
        found, found_gradient = value_and_gradient(bound(name, blank), *moved)
        assert_same(found, value)
        assert_same(found_gradient.roll(-blank, 2), gradient)


def test_log_probabilities_are_as_good_as_logits(name, samples):
    logits, *rest = samples
    loss = bound(name)
    assert_same(loss(logits.log_softmax(2), *rest), loss(*samples))
    shifted = logits + torch.linspace(-9, 9, 9)[:, None, None]
    assert_same(loss(shifted, *rest), loss(*samples))


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_is_computed_in_float32(name, samples, dtype):
    logits, *rest = samples
    half, loss = logits.to(dtype), make(name)
    given = extras(loss, half)  # the same numbers for both
    value, gradient = value_and_gradient(loss, half, *rest, **given)
    given = {key: part.float() for key, part in given.items()}
    expected, expected_gradient = value_and_gradient(loss, half.float(), *rest, **given)
    assert value.dtype == torch.float32 and gradient.dtype == dtype
    if is_ctc(name):
        assert torch.equal(value, expected)
        assert torch.equal(gradient, expected_gradient.to(dtype))
    assert_same(value, expected, 1e-6)
    torch.testing.assert_close(gradient.float(), expected_gradient, rtol=HALF[dtype], atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_of_the_loss_is_that_of_the_logits(name, samples, dtype):
    logits, *rest = samples
    value, gradient = value_and_gradient(bound(name), logits.to(dtype), *rest)
    assert value.dtype == gradient.dtype == dtype
    expected, expected_gradient = value_and_gradient(bound(name), *samples)
    assert_same(value.double(), expected, 2e-5)
    assert_same(gradient.double(), expected_gradient, 2e-5)


def test_infeasible_and_empty_samples(name, samples):
    value, gradient = value_and_gradient(bound(name), *samples)
    for i in (3, 5, 6):  # sample 5 has an empty label and no frames: probability 1
        assert value[i] == 0 and not gradient[:, i].any()
    for i in (0, 1, 2, 4):
        assert value[i] != 0 and gradient[:, i].any()
    for reduction in ("none", "mean", "batchmean", "sum"):
        value, gradient = value_and_gradient(bound(name, 0, reduction), *samples.only([3]))
        assert not value.any() and not gradient.any()


def test_terms(name, samples):
    loss = make(name)
    given = extras(loss, samples.logits)
    if name not in TERMS:
        with pytest.raises(NotImplementedError, match=type(loss).__name__):
            loss.terms(*samples, **given)
        return
    logits = samples.logits.requires_grad_()
    terms = loss.terms(logits, *samples[1:], **given)
    assert terms.feasible.tolist() == FEASIBLE and not terms.nll.requires_grad
    other = terms.distill if is_ctc(name) else terms.regularizer
    # samples 2 and 4 have a single path: no entropy over paths, and none that is too uneven
    sure = name in ("enctc", "esctc", "enesctc")
    assert (terms.nll == 0).tolist() == [False, False, False, True, False, True, True]
    assert (other == 0).tolist() == [False, False, sure, True, sure, True, True]
    if is_ctc(name):  # the empty label reads blank at all frames, in both terms
        expected = -logits.detach().log_softmax(2)[:6, 4, 0].sum()
        assert_same(terms.nll[4], expected)
        if name != "dctc_greedy":
            assert_same(terms.distill[4], expected)


def test_reductions(name, samples):
    value = bound(name)(*samples)
    lengths = samples.target_lengths.clamp(min=1)
    assert_same(bound(name, reduction="sum")(*samples), value.sum())
    assert_same(bound(name, reduction="batchmean")(*samples), value.sum() / 7)
    assert_same(bound(name, reduction="mean")(*samples), (value / lengths).sum() / 7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [30.0, 1e3, 1e4])
def test_extreme_logits_stay_finite(name, samples, size, dtype):
    logits, *rest = samples
    for extreme in (size * logits.sign(), size * (logits == logits.amax(2, True)).double()):
        value, gradient = value_and_gradient(bound(name), extreme.to(dtype), *rest)
        assert value.isfinite().all() and gradient.isfinite().all()
        assert value.max() > 1 or not is_ctc(name)


def test_classes_outside_the_label_may_be_impossible(name, samples):
    logits, *rest = samples.only([0])
    logits[:, :, 4] = -math.inf  # sample 0 reads 1, 2, 3
    value, gradient = value_and_gradient(bound(name), logits, *rest)
    if name == "label_smoothing":
        assert value.isinf().all()  # KL(u || P) is
        return
    assert value.isfinite().all() and gradient.isfinite().all()
    assert not gradient[:, :, 4].any()
    nearly = logits.clamp(min=-200.0)
    assert_same((value, gradient), value_and_gradient(bound(name), nearly, *rest))


def test_an_impossible_label_adds_and_trains_nothing(name, samples):
    logits, *rest = samples
    expected, expected_gradient = value_and_gradient(bound(name), *samples)
    logits = logits.clone()
    logits[:, 0, 1] = -math.inf  # sample 0 reads 1, 2, 3
    value, gradient = value_and_gradient(bound(name), logits, *rest)
    assert value[0] == 0 and not gradient[:, 0].any()
    assert_same((value[1:], gradient[:, 1:]), (expected[1:], expected_gradient[:, 1:]))
    if name in TERMS:
        loss = make(name)
        terms = loss.terms(logits, *rest, **extras(loss, logits))
        assert terms.feasible.tolist() == [False, *FEASIBLE[1:]]
        assert terms.nll[0] == terms[1][0] == 0
        assert not hasattr(terms, "alignment") or (terms.alignment[:, 0] == -1).all()


def test_no_statistics_of_what_is_impossible_or_not_finite(name, samples):
    def state_after(*batches):
        loss = make(name).train()
        for logits, *rest in batches:
            loss(logits, *rest, **extras(loss, logits))
        return list(loss.state_dict().values())

    if not make(name).state_dict():
        return
    for value in (-math.inf, math.inf, math.nan):
        spoilt = samples._replace(logits=samples.logits.clone())
        spoilt.logits[:, 0, 1] = value
        found = state_after(spoilt, spoilt.only([0]), samples)
        assert_same(found, state_after(samples.only(slice(1, 7)), samples))


def test_without_weight_an_infinite_term_is_left_out(name, samples):
    loss = make(name)
    if not hasattr(loss, "weight"):
        return
    loss.weight = 0.0
    finite, *rest = samples.only([0])
    given = extras(loss, finite)
    logits = finite.clone()
    logits[:, :, 4] = -math.inf  # sample 0 reads 1, 2, 3
    infinite = loss.terms(logits, *rest, **given).regularizer.isinf().all()
    assert infinite == (name in ("label_smoothing", "cr_ctc", "distillation"))

    def ctc(logits, *rest):
        views = [logits, given["second"]] if "second" in given else [logits]
        return sum(CTCLoss(reduction="none")(view, *rest) for view in views) / len(views)

    found = value_and_gradient(lambda *args: loss(*args, **given), logits, *rest)
    assert_same(found, value_and_gradient(ctc, logits, *rest))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_sample_with_nan_has_a_nan_loss_and_no_other_has(name, samples, bad):
    logits, *rest = samples
    expected = bound(name)(*samples)
    logits = logits.clone()
    logits[2, 1, 3] = bad
    value, gradient = value_and_gradient(bound(name), logits, *rest)
    assert value.isnan().tolist() == [i == 1 for i in range(7)]
    assert_same(value[2:], expected[2:])
    assert gradient[2, 1].isnan().any()


def test_validation_may_run_in_inference_mode(name, samples):
    expected = bound(name)(*samples)
    with torch.inference_mode():
        assert torch.equal(bound(name)(*samples), expected)


def test_in_evaluation_what_is_needed_may_be_missing(name, samples):
    loss = make(name)
    given = extras(loss, samples.logits)
    if not given:
        return
    ((key, tensor),) = given.items()
    assert torch.equal(loss.eval()(*samples), loss.terms(*samples).nll)
    assert not loss.terms(*samples).regularizer.any()
    with pytest.raises(ValueError, match=f"{key}: expected .*, got none"):
        loss.train()(*samples)
    with pytest.raises(ValueError, match=rf"{key}: expected .*, got \(9, 7, 2\)"):
        loss(*samples, **{key: tensor[:, :, :2]})


def test_what_a_loss_has_no_use_for_changes_nothing_or_is_refused(name, samples):
    loss, needs = bound(name), make(name).needs
    unused = {"alignment": torch.full((2,), -9), "features": torch.full((1, 1), math.nan)}
    unused = {key: part for key, part in unused.items() if key not in needs}
    if name.startswith("dctc"):
        del unused["alignment"]  # it takes the place of z*
    expected = value_and_gradient(loss, *samples)
    for part, other in zip(value_and_gradient(loss, *samples, **unused), expected, strict=True):
        assert torch.equal(part, other)
    for key in {"second", "teacher", "third"} - needs:
        with pytest.raises(TypeError, match=f"Loss takes no {key}"):
            loss(*samples, **{key: samples.logits})


def test_options_are_keywords_checked_and_shown(name):
    loss = make(name)
    takes = dict(inspect.signature(type(loss).__init__).parameters)
    sizes = {key: getattr(loss, key) for key in ("num_classes", "num_features") if key in takes}
    assert {*loss.options} == {*takes} - {"self", "common", "blank", "reduction", "zero_infinity"}
    for option, allowed in {**loss.options, "blank": CLASS, "reduction": ("sum",)}.items():
        assert f"{option}={getattr(loss, option)!r}" in repr(loss)
        for bad in (math.nan, -math.inf, "avg", True if isinstance(allowed, Range) else 7):
            with pytest.raises(ValueError, match=f"{option} .*: .*(is expected|not one of)"):
                type(loss)(**{**sizes, option: bad})
            with pytest.raises(ValueError, match=f"{option} .*: .*(is expected|not one of)"):
                setattr(loss, option, bad)
    with pytest.raises(TypeError, match="positional"):
        type(loss)(*sizes.values(), 10)
    type(loss)(**sizes, zero_infinity=True)
    with pytest.raises(ValueError, match=r"zero_infinity=False: .* is always 0 here"):
        type(loss)(**sizes, zero_infinity=False)


def test_gradient_is_that_of_the_value(name, samples):
    logits, *rest = samples
    loss = make(name)
    given = extras(loss, logits)
    if name == "cr_ctc":
        given["second"] = logits  # where nothing is apart, what is stopped is 0
    _, gradient = value_and_gradient(lambda x, *rest: loss(x, *rest, **given), *samples)
    weight, step = torch.arange(1, 8), 1e-5
    for seed in range(3):
        way = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
        ahead, back = (loss(logits + s * way, *rest, **given) for s in (step, -step))
        expected = ((ahead - back) / (2 * step) * weight).sum()
        assert_same((gradient * way).sum(), expected, 1e-6)


def test_a_second_derivative_is_refused(name, samples):
    logits, *rest = samples
    logits = logits.clone().requires_grad_()
    value = bound(name)(logits, *rest).sum()
    (gradient,) = torch.autograd.grad(value, logits, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivative"):
        gradient.square().sum().backward()


def test_same_bits_from_run_to_run(name, samples):
    logits, *rest = samples
    many = logits.float().repeat(1, 8, 1), *(torch.cat([part] * 8) for part in rest)
    first = value_and_gradient(bound(name), *many)
    for _ in range(2):
        again = value_and_gradient(bound(name), *many)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_copies_and_checkpoints(name, samples):
    loss = make(name)
    given = extras(loss, samples.logits)
    assert list(loss.parameters()) == []
    stored = {"center": ["centers"], "prior": ["prior"]}
    assert list(loss.state_dict()) == stored.get(name, [])
    loss.train()(*samples, **given)  # what is stored moves
    copied, restored = copy.deepcopy(loss), make(name)
    restored.load_state_dict(loss.state_dict())
    expected = loss.eval()(*samples, **given)
    for again in (copied, restored):
        assert torch.equal(again.eval()(*samples, **given), expected)
