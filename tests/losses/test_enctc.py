"""EnCTC, EsCTC and EnEsCTC against the enumeration of paths, all or evenly spaced ones."""

import numpy as np
import pytest
import torch

from dctc.ctc import Labels
from dctc.losses import CTCLoss, EnCTCLoss, EnEsCTCLoss, EsCTCLoss, enctc
from dctc.losses.enctc import longest_segment
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import log_softmax, paths_of
from oracle.gradient import value_and_gradient
from oracle.paths import longest_segment as exact_segment
from oracle.paths import path_sums, segment_lengths, spaced_paths, through_softmax

CASES = [
    *FEASIBLE,
    Case((1,), 7, 3),
    Case((1, 1), 7, 3),
    Case((2, 1), 7, 3, 0),
    Case((0,), 7, 2, 1),
]
INF = float("inf")


@pytest.mark.parametrize(
    "tau, peak",
    [(0.5, 2.0), (0.75, 2.0), (1.0, 2.0), (1.2, 2.0), (1.5, 2.0), (INF, 1.0), (INF, 6.0)],
)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, tau, peak):
    h = 0.3
    logits = case.logits(n=4, peak=peak)
    both, alone = (
        cls(**options, tau=tau, blank=case.blank, reduction="none")
        for cls, options in ((EnEsCTCLoss, {"entropy_weight": h}), (EsCTCLoss, {}))
    )
    value, gradient = value_and_gradient(both, logits, *case.arguments(4))
    nlls, by_nlls = value_and_gradient(alone, logits, *case.arguments(4))
    terms = both.terms(logits, *case.arguments(4))
    paths = spaced_paths(case.label, case.t, case.c, case.blank, tau)
    assert (terms.feasible == bool(len(paths))).all()
    for i in range(4):
        sample = logits[:, i].numpy()
        if not len(paths):
            assert value[i] == nlls[i] == 0 and not gradient[:, i].any() and not by_nlls[:, i].any()
            continue
        nll, entropy, by_nll, by_entropy = path_sums(log_softmax(sample), paths)
        np.testing.assert_allclose(terms.nll[i], nll, atol=1e-11)
        np.testing.assert_allclose(terms.regularizer[i], entropy, atol=1e-11)
        np.testing.assert_allclose(nlls[i], nll, atol=1e-11)
        np.testing.assert_allclose(value[i], (1 - h) * nll - h * entropy, atol=1e-11)
        expected = (i + 1) * through_softmax(by_nll, sample)
        np.testing.assert_allclose(by_nlls[:, i], expected, atol=1e-11)
        expected = (i + 1) * through_softmax((1 - h) * by_nll - h * by_entropy, sample)
        np.testing.assert_allclose(gradient[:, i], expected, atol=1e-11)


def test_the_cases_are_constrained():
    counts = [
        (len(spaced_paths(*case, tau=1.0)), len(paths_of(*case[:3], case.blank))) for case in CASES
    ]
    assert sum(0 < spaced < all_ for spaced, all_ in counts) >= 5
    assert any(not len(spaced_paths(*case, tau=0.5)) for case in CASES)


def test_segments_of_a_path():
    assert segment_lengths((0, 1, 1, 0, 1, 2, 0, 0), blank=0) == [3, 2, 1, 2]


@pytest.mark.parametrize("tau", [0.3, 0.7, 1.1, 1.17, 1.4, 1.9, 2.3])
def test_the_longest_segment_is_not_rounded(tau):
    """1.4 * 45 is 63, but 62.99999999999999 in floating point. An empty label sets no limit."""
    frames, lengths = torch.cartesian_prod(torch.arange(1, 200), torch.arange(8)).T
    labels = Labels(torch.ones(len(frames), 7).long(), lengths, frames, frames > 0)
    expected = [
        min(exact_segment(s, t, tau), t) if s else t
        for t, s in zip(frames.tolist(), lengths.tolist(), strict=True)
    ]
    assert longest_segment(labels, tau).tolist() == expected


@pytest.mark.parametrize(
    "found, expected",
    [
        (EsCTCLoss(tau=1e9), CTCLoss()),
        (EnCTCLoss(entropy_weight=0.0), CTCLoss()),
        (EnEsCTCLoss(entropy_weight=0.0, tau=1.1), EsCTCLoss(tau=1.1)),
        (EnEsCTCLoss(entropy_weight=0.3, tau=INF), EnCTCLoss(entropy_weight=0.3)),
        (EnEsCTCLoss(entropy_weight=0.3, tau=1e9), EnCTCLoss(entropy_weight=0.3)),
    ],
    ids=str,
)
def test_neutral_settings(found, expected, samples):
    found.reduction = expected.reduction = "none"
    of_both = (value_and_gradient(loss, *samples) for loss in (found, expected))
    torch.testing.assert_close(*of_both, rtol=1e-11, atol=1e-11)


def test_the_constraint_leaves_no_sample_out_from_tau_1_on():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 9, (300,), generator=generator)
    frames = torch.randint(0, 20, (300,), generator=generator)
    targets = torch.randint(1, 3, (300, 9), generator=generator)
    logits = torch.randn(20, 300, 3, generator=generator)
    arguments = logits, targets, frames, lengths
    found = EsCTCLoss(tau=1.0).terms(*arguments)
    assert torch.equal(found.feasible, CTCLoss().terms(*arguments).feasible)
    some = found.feasible & (frames > 0)
    assert (found.nll[some] > 0).all()
    assert EsCTCLoss(tau=0.4).terms(*arguments).feasible.sum() < found.feasible.sum()


@pytest.mark.parametrize("make", [EnCTCLoss, EnEsCTCLoss])
def test_more_samples_than_are_taken_at_a_time(make):
    generator = torch.Generator().manual_seed(0)
    n, t = 300, 12
    logits = torch.randn(t, n, 6, generator=generator, dtype=torch.float64)
    lengths = torch.randint(0, 7, (n,), generator=generator)
    targets = torch.randint(1, 6, (n, 7), generator=generator)
    frames = torch.randint(0, t + 1, (n,), generator=generator)
    loss = make(entropy_weight=0.4, reduction="none")
    value, gradient = value_and_gradient(loss, logits, targets, frames, lengths)
    for i in range(0, n, 19):
        alone = targets[i : i + 1, : lengths[i]], frames[i : i + 1], lengths[i : i + 1]
        found, by_logits = value_and_gradient(loss, logits[:, i : i + 1], *alone)
        torch.testing.assert_close(found, value[i : i + 1])
        torch.testing.assert_close((i + 1) * by_logits, gradient[:, i : i + 1])


def test_a_long_confident_sample_keeps_its_precision():
    t, logits = 1000, torch.full((1000, 1, 3), -30.0, dtype=torch.float64)
    logits[:, :, 0] = 30.0
    logits[500, 0] = torch.tensor([-30.0, 30.0, -30.0])
    loss = EnCTCLoss(entropy_weight=1.0, reduction="none")
    value, gradient = value_and_gradient(loss, logits, torch.tensor([[1]]), [t], [1])
    assert -1e-10 < -value.item() < 1e-6
    assert gradient.isfinite().all() and gradient.abs().max() < 1e-6


@pytest.mark.parametrize("loss", [EnCTCLoss, EnEsCTCLoss])
@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_the_entropy_is_not_computed_for_nothing(loss, weight, samples, monkeypatch):
    asked, computed = [], enctc.path_sums

    def watched(*arguments):
        asked.append(arguments[-1])
        return computed(*arguments)

    monkeypatch.setattr(enctc, "path_sums", watched)
    loss(entropy_weight=weight)(*samples)
    assert asked == [weight > 0]
