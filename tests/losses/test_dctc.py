"""DCTCLoss against the enumeration of all paths, its options, and random inputs of any kind."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dctc import CTCLoss, DCTCLoss
from dctc.ctc import ESTIMATORS, ctc_terms, pack_labels
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import (
    clear_frames,
    collapsed,
    cross_entropy,
    dctc_gradient,
    finite_differences,
    frame_scores,
    nll,
)
from oracle.gradient import value_and_gradient

ALPHA, BETA = 0.3, 0.7
WEIGHTS = {"distill_weight": ALPHA, "ctc_weight": BETA}


@pytest.mark.parametrize("peak", [1.0, 4.0])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
@pytest.mark.parametrize("estimator", ["likelihood", "posterior", "greedy"])
def test_value_and_gradient_equal_the_enumeration(estimator, case, peak):
    logits = case.logits(peak=peak)
    loss = DCTCLoss(**WEIGHTS, estimator=estimator, blank=case.blank, reduction="none")
    value, gradient = value_and_gradient(loss, logits, *case.arguments())
    alignment = loss.terms(logits, *case.arguments()).alignment.numpy()
    compared = []
    for i in range(logits.shape[1]):
        sample = logits[:, i].numpy()
        scores = frame_scores(estimator, sample, case.label, case.blank)
        clear = clear_frames(scores)
        z = np.where(clear, scores.argmax(1), alignment[:, i])
        expected = BETA * nll(sample, case.label, case.blank) + ALPHA * cross_entropy(sample, z)
        np.testing.assert_allclose(value[i], expected, rtol=1e-11)
        expected = (i + 1) * dctc_gradient(sample, case.label, z, ALPHA, BETA, case.blank)
        np.testing.assert_allclose(gradient[:, i], expected, atol=1e-11)
        compared.append(clear)
    assert np.mean(compared) >= 0.9


@pytest.mark.parametrize("margin, scale", [(0.0, 2.5), (0.4, 1.0), (-0.4, 1.0), (0.35, 8.0)])
@pytest.mark.parametrize("case", [Case((1, 2), 4, 3), Case((1, 0, 0), 5, 3, 2)], ids=str)
def test_margin_and_scale_are_the_literal_definition(case, margin, scale):
    logits = case.logits()
    loss = DCTCLoss(**WEIGHTS, margin=margin, scale=scale, blank=case.blank, reduction="none")
    value, gradient = value_and_gradient(loss, logits, *case.arguments())
    terms = loss.terms(logits, *case.arguments())
    plain = DCTCLoss(blank=case.blank).terms(scale * logits, *case.arguments())
    assert torch.equal(terms.alignment, plain.alignment)  # the margin has no say in z*
    for i in range(logits.shape[1]):
        sample, z = logits[:, i].numpy(), terms.alignment[:, i].numpy()

        def ctc(x):
            return nll(scale * x, case.label, case.blank)

        def literal(x, z=z):
            return BETA * ctc(x) + ALPHA * cross_entropy(x, z, margin, scale)

        np.testing.assert_allclose(terms.nll[i], ctc(sample), rtol=1e-11)
        np.testing.assert_allclose(value[i], literal(sample), rtol=1e-11)
        expected = (i + 1) * finite_differences(literal, sample)
        np.testing.assert_allclose(gradient[:, i], expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("margin", [10.0, 22.4, 60.0])
def test_margin_on_a_saturated_frame(margin, dtype):
    logits = torch.tensor([[[0.0, 20.0, 0.0]]], dtype=dtype)
    loss = DCTCLoss(distill_weight=1.0, ctc_weight=0.0, margin=margin, reduction="none")
    value, gradient = value_and_gradient(loss, logits, torch.tensor([[1]]), [1], [1])

    def literal(x):
        return cross_entropy(x, [1], margin)

    sample = logits[:, 0].double().numpy()
    np.testing.assert_allclose(value, [literal(sample)], rtol=1e-3)
    np.testing.assert_allclose(gradient[:, 0], finite_differences(literal, sample), atol=1e-6)


def test_half_precision_is_scaled_in_float32(samples):
    logits, *rest = samples
    half = (500 * logits).half()  # times 30 this is infinite in float16
    for distill_weight in (0.0, 0.1):
        loss = DCTCLoss(distill_weight=distill_weight, scale=30.0, reduction="none")
        assert torch.equal(loss(half, *rest), loss(half.float(), *rest))
        assert loss(half, *rest).isfinite().all()


def test_frames_of_a_given_alignment_that_are_minus_one_are_left_out(samples):
    loss = DCTCLoss(distill_weight=1.0, ctc_weight=0.0, reduction="none")
    own = loss.terms(*samples).alignment
    chosen = torch.where(torch.arange(9)[:, None] % 2 == 0, own, -1)
    terms = loss.terms(*samples, alignment=chosen)
    assert torch.equal(terms.alignment, chosen)
    value, gradient = value_and_gradient(loss, *samples, alignment=chosen)
    for i in range(7):
        expected = cross_entropy(samples.logits[:, i].numpy(), chosen[:, i].numpy())
        np.testing.assert_allclose(value[i], expected, atol=1e-12)
    assert (gradient.abs().sum(2) > 0).equal(chosen >= 0)


def test_a_given_alignment_is_not_read_where_no_frame_takes_part(samples):
    loss = DCTCLoss()
    everywhere = torch.ones(9, 7, dtype=torch.int32)
    alignment = loss.terms(*samples, alignment=everywhere).alignment
    takes_part = loss.terms(*samples).alignment >= 0
    assert torch.equal(alignment >= 0, takes_part)
    padded = everywhere.where(takes_part, -100)  # as torch's cross-entropy has it
    assert torch.equal(loss.terms(*samples, alignment=padded).alignment, alignment)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16])
def test_a_given_alignment_may_be_of_any_integers(dtype):
    arguments = (torch.zeros(4, 1, 300), torch.tensor([[1]]), [4], [1])
    ones = torch.ones(4, 1, dtype=dtype)
    expected = DCTCLoss()(*arguments, alignment=ones.long())
    assert DCTCLoss()(*arguments, alignment=ones) == expected


def alignment_with(place, value):
    alignment = torch.zeros(9, 7, dtype=torch.int64)
    alignment[place] = value
    return alignment


@pytest.mark.parametrize(
    "alignment, message",
    [
        (alignment_with((3, 2), 5), r"sample 2, frame 3 is class 5, outside -1\.\.4"),
        (alignment_with((4, 0), -2), r"sample 0, frame 4 is class -2, outside -1\.\.4"),
        (torch.zeros(7, 9).long(), r"expected integers \(9, 7\), got torch.int64 \(7, 9\)"),
        (torch.zeros(9, 7), r"expected integers \(9, 7\), got torch.float32"),
        (torch.zeros(9, 7).bool(), r"expected integers \(9, 7\), got torch.bool"),
    ],
)
def test_an_alignment_that_does_not_fit_is_refused(alignment, message, samples):
    with pytest.raises(ValueError, match=f"alignment: {message}"):
        DCTCLoss()(*samples, alignment=alignment)


def test_without_distillation_ctc_weight_and_scale_still_count(samples):
    logits, *rest = samples
    loss = DCTCLoss(distill_weight=0.0, ctc_weight=BETA, scale=2.5, reduction="none")
    found, ctc = value_and_gradient(loss, *samples), CTCLoss(reduction="none")
    expected = value_and_gradient(lambda x: BETA * ctc(2.5 * x, *rest), logits)
    torch.testing.assert_close(found, expected)


def test_defaults_are_the_authors(samples):
    terms = DCTCLoss().terms(*samples)
    expected = (terms.nll + 0.1 * terms.distill).sum() / 7
    torch.testing.assert_close(DCTCLoss()(*samples), expected)


def test_it_is_not_compiled(samples):
    """It runs as it is, alone or in a compiled function that goes on around it."""
    import torch._dynamo as dynamo

    def around(x):
        return 2 * loss(x + 1, *samples[1:])

    loss = DCTCLoss()
    for function, graphs in ((lambda x: loss(x, *samples[1:]), 0), (around, 2)):
        expected = value_and_gradient(function, samples.logits)
        dynamo.reset()
        dynamo.utils.counters.clear()
        found = value_and_gradient(torch.compile(function, backend="eager"), samples.logits)
        assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
        assert dynamo.utils.counters["stats"].get("unique_graphs", 0) == graphs


@st.composite
def batches(draw):
    """A batch of any shape: logits (t, n, c), labels, input lengths, blank."""
    t, n, c = draw(st.integers(1, 8)), draw(st.integers(1, 4)), draw(st.integers(2, 6))
    blank = draw(st.integers(0, c - 1))
    character = st.sampled_from([k for k in range(c) if k != blank])
    labels = draw(st.lists(st.lists(character, max_size=5), min_size=n, max_size=n))
    frames = draw(st.lists(st.integers(0, t), min_size=n, max_size=n))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    spread = draw(st.sampled_from([0.0, 1.0, 10.0, 100.0, 1e4]))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    logits = torch.from_numpy(spread * rng.standard_normal((t, n, c))).to(dtype)
    return logits, labels, frames, blank


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_anything_that_fits_gives_a_finite_loss(count):
    check = given(batches(), st.sampled_from(ESTIMATORS))(check_finite)
    settings(max_examples=count, deadline=None)(check)()


def check_finite(batch, estimator):
    logits, labels, frames, blank = batch
    loss = DCTCLoss(distill_weight=0.1, estimator=estimator, blank=blank, reduction="none")
    targets = torch.tensor([k for label in labels for k in label], dtype=torch.int64)
    arguments = targets, frames, [len(label) for label in labels]
    value, gradient = value_and_gradient(loss, logits, *arguments)
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.sum(2).abs().max() <= 1e-5

    terms = loss.terms(logits, *arguments)
    for i, label in enumerate(labels):
        z = terms.alignment[:, i].tolist()
        needed = len(label) + sum(a == b for a, b in itertools.pairwise(label))
        assert terms.feasible[i] == (needed <= frames[i])
        read = frames[i] if terms.feasible[i] else 0
        assert z[read:] == [-1] * (len(z) - read)
        assert gradient[read:, i].abs().sum() == 0
        if estimator != "greedy":
            assert set(z[:read]) <= {blank, *label}
        if estimator == "viterbi" and terms.feasible[i]:
            assert collapsed(z[:read], blank) == tuple(label)


@pytest.mark.parametrize("margin, scale", [(0.0, 1.0), (0.4, 2.5)])
def test_without_the_mask_what_does_not_fit_is_trained_to_blank(samples, margin, scale):
    masked, bare = (
        DCTCLoss(**WEIGHTS, margin=margin, scale=scale, reduction="none", mask_infeasible=mask)
        for mask in (True, False)
    )
    logits, _, frames, _ = samples
    out = ~masked.terms(*samples).feasible
    assert out.any() and not out.all()
    (value, gradient), (ours, our_gradient) = (
        value_and_gradient(loss, *samples) for loss in (bare, masked)
    )
    assert torch.equal(value[~out], ours[~out])
    assert torch.equal(gradient[:, ~out], our_gradient[:, ~out])
    for i in out.nonzero()[:, 0].tolist():
        blanks = np.where(np.arange(len(logits)) < int(frames[i]), 0, -1)

        def literal(x, blanks=blanks):
            return ALPHA * cross_entropy(x, blanks, margin, scale)

        sample = logits[:, i].detach().numpy()
        np.testing.assert_allclose(value[i], literal(sample), rtol=1e-11, atol=1e-12)
        expected = (i + 1) * finite_differences(literal, sample)
        np.testing.assert_allclose(gradient[:, i], expected, atol=1e-5)
        assert bare.terms(*samples).alignment[:, i].tolist() == blanks.tolist()


@pytest.mark.parametrize("garbage", [50.0, math.nan, math.inf])
def test_without_the_mask_padded_frames_are_not_read_either(samples, garbage):
    loss = DCTCLoss(**WEIGHTS, reduction="none", mask_infeasible=False)
    logits, targets, frames, lengths = samples
    padded = logits.clone()
    for i, valid in enumerate(frames):
        padded[valid:, i] = garbage
    found = value_and_gradient(loss, padded, targets, frames, lengths)
    assert found[0].isfinite().all() and found[1].isfinite().all()
    torch.testing.assert_close(found, value_and_gradient(loss, *samples))


@pytest.mark.parametrize("margin, scale", [(0.0, 1.0), (0.4, 2.5)])
def test_terms_whose_weights_cancel(samples, margin, scale):
    """With weights of opposite sign P falls out of the gradient, z* and the posterior do not."""
    logits, *rest = samples
    labels = pack_labels(logits, *rest, 0)

    def gradient(alpha, beta):
        def loss(x):
            terms = ctc_terms(x, labels, 0, margin=margin, scale=scale)
            return alpha * terms.distill + beta * terms.nll

        return value_and_gradient(loss, logits)[1]

    both = gradient(-0.7, 0.7)
    assert both.abs().sum() > 0
    expected = gradient(-0.7, 0.0) + gradient(0.0, 0.7)
    torch.testing.assert_close(both, expected, rtol=0, atol=1e-12)


def test_a_given_alignment_takes_the_place_of_an_estimate(samples):
    given, estimated = (DCTCLoss(**WEIGHTS, estimator="given"), DCTCLoss(**WEIGHTS))
    assert given.needs == {"alignment"} and not estimated.needs
    alignment = torch.randint(0, 5, (9, 7), generator=torch.Generator().manual_seed(0))
    found, expected = (
        value_and_gradient(loss, *samples, alignment=alignment) for loss in (given, estimated)
    )
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
    estimated.estimator = "given"
    assert estimated.needs == {"alignment"}
    with pytest.raises(ValueError, match="estimator 'given' needs an alignment"):
        given(*samples)
    # where it is missing in evaluation, as on real words, the term is left out
    given.eval()
    found, expected = (value_and_gradient(loss, *samples) for loss in (given, CTCLoss()))
    torch.testing.assert_close(found, tuple(BETA * part for part in expected))
    assert (given.terms(*samples).alignment == -1).all()
    bare = DCTCLoss(**WEIGHTS, estimator="given", mask_infeasible=False).eval()
    torch.testing.assert_close(bare(*samples), BETA * CTCLoss()(*samples))
