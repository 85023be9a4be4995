"""EsCTC and EnEsCTC against the enumeration of evenly spaced paths."""

import numpy as np
import pytest
import torch

from dctc.ctc import Labels, pack_labels
from dctc.losses import CTCLoss, EnCTCLoss, EnEsCTCLoss, EsCTCLoss
from dctc.losses.spacing import longest_segment
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


@pytest.mark.parametrize("tau", [0.5, 0.75, 1.0, 1.2, 1.5, INF])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, tau):
    h = 0.3
    logits = case.logits(n=4, peak=2.0)
    both, alone = EnEsCTCLoss(h, tau, case.blank, "none"), EsCTCLoss(tau, case.blank, "none")
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


def test_the_longest_segment():
    # tau (floor(T / s) + 1), rounded down; no more than there are frames; no limit without label
    logits, targets = torch.zeros(40, 5, 3), torch.ones(5, 12).long()
    frames, lengths = [40, 40, 26, 7, 9], [6, 12, 5, 1, 0]
    labels = pack_labels(logits, targets, frames, lengths, 0)
    assert longest_segment(labels, 1.5).tolist() == [10, 6, 9, 7, 9]
    assert longest_segment(labels, 1.0).tolist() == [7, 4, 6, 7, 9]


@pytest.mark.parametrize("tau", [0.3, 0.7, 1.1, 1.17, 1.4, 1.9, 2.3])
def test_the_longest_segment_is_not_rounded(tau):
    """1.4 * 45 is 63, but 62.99999999999999 in floating point."""
    frames, lengths = torch.cartesian_prod(torch.arange(1, 200), torch.arange(1, 8)).T
    labels = Labels(torch.ones(len(frames), 7).long(), lengths, frames, frames > 0)
    expected = [
        min(exact_segment(s, t, tau), t)
        for t, s in zip(frames.tolist(), lengths.tolist(), strict=True)
    ]
    assert longest_segment(labels, tau).tolist() == expected


def test_ragged_samples_have_limits_of_their_own(samples):
    logits, targets, frames, lengths = samples
    value, gradient = value_and_gradient(EnEsCTCLoss(0.3, 1.0, reduction="none"), *samples)
    for i in (0, 1, 2, 4):
        label, t = tuple(targets[i, : lengths[i]].tolist()), int(frames[i])
        sample = logits[:t, i].numpy()
        paths = spaced_paths(label, t, 5, 0, 1.0) if t < 9 else _spaced(label, t)
        nll, entropy, by_nll, by_entropy = path_sums(log_softmax(sample), paths)
        np.testing.assert_allclose(value[i], 0.7 * nll - 0.3 * entropy, atol=1e-11)
        expected = (i + 1) * through_softmax(0.7 * by_nll - 0.3 * by_entropy, sample)
        np.testing.assert_allclose(gradient[:t, i], expected, atol=1e-11)


def _spaced(label, t):
    """Spaced paths over the classes of the label alone, which are all that can be in them."""
    assert label == (1, 2, 3)
    return spaced_paths(label, t, 4, 0, 1.0)


@pytest.mark.parametrize(
    "found, expected",
    [
        (EsCTCLoss(INF, reduction="none"), CTCLoss(reduction="none")),
        (EsCTCLoss(1e9, reduction="none"), CTCLoss(reduction="none")),
        (EnEsCTCLoss(0.0, INF, reduction="none"), CTCLoss(reduction="none")),
        (EnEsCTCLoss(0.0, 1.1, reduction="none"), EsCTCLoss(1.1, reduction="none")),
        (EnEsCTCLoss(0.3, INF, reduction="none"), EnCTCLoss(0.3, reduction="none")),
        (EnEsCTCLoss(0.3, 1e9, reduction="none"), EnCTCLoss(0.3, reduction="none")),
    ],
    ids=str,
)
def test_neutral_settings(found, expected, samples):
    torch.testing.assert_close(
        value_and_gradient(found, *samples),
        value_and_gradient(expected, *samples),
        rtol=1e-11,
        atol=1e-11,
    )


def test_the_constraint_leaves_no_sample_out_from_tau_1_on():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(0, 9, (300,), generator=generator)
    frames = torch.randint(0, 20, (300,), generator=generator)
    targets = torch.randint(1, 3, (300, 9), generator=generator)
    logits = torch.randn(20, 300, 3, generator=generator)
    arguments = logits, targets, frames, lengths
    found = EsCTCLoss(1.0).terms(*arguments)
    assert torch.equal(found.feasible, CTCLoss().terms(*arguments).feasible)
    some = found.feasible & (frames > 0)
    assert (found.nll[some] > 0).all()
    assert EsCTCLoss(0.4).terms(*arguments).feasible.sum() < found.feasible.sum()


@pytest.mark.parametrize("tau", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("loss", [EsCTCLoss, EnEsCTCLoss])
def test_tau_is_positive(loss, tau):
    with pytest.raises(ValueError, match="tau"):
        loss(tau=tau)
