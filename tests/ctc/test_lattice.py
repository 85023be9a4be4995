"""Forward-backward against the enumeration of all paths; its two recursions against each other."""

import numpy as np
import pytest
import torch

from dctc.ctc import candidate_classes, forward_backward, pack_labels
from dctc.ctc.lattice import in_logarithms, scaled
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import nll, posterior


def run(case, logits):
    """The lattice of n samples with one label, and their labels."""
    labels = pack_labels(logits, *case.arguments(logits.shape[1]), case.blank)
    return forward_backward(emissions_of(logits, labels, case.blank), labels), labels


def emissions_of(logits, labels, blank=0):
    columns = candidate_classes(labels, blank).expand(len(logits), -1, -1)
    return logits.log_softmax(2).gather(2, columns)


def assert_enumerated(lattice, labels, logits, case, atol=1e-12):
    """Compare likelihoods, and posteriors by class, with the enumeration of all paths."""
    columns = candidate_classes(labels, case.blank).expand(case.t, -1, -1)
    by_class = torch.zeros_like(logits).scatter_add(2, columns, lattice.posterior)
    for i in range(logits.shape[1]):
        sample = logits[:, i].numpy()
        expected = nll(sample, case.label, case.blank), posterior(sample, case.label, case.blank)
        np.testing.assert_allclose(lattice.nll[i], expected[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(by_class[:, i], expected[1], atol=atol)


@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_the_first_of_equal_characters_holds_their_posterior(case):
    lattice, _ = run(case, case.logits())
    first = [case.label.index(k) == j for j, k in enumerate(case.label)]
    repeats = [j + 1 for j, is_first in enumerate(first) if not is_first]
    assert (lattice.posterior[:, :, repeats] < 1e-15).all()
    torch.testing.assert_close(lattice.posterior.sum(2), torch.ones(case.t, 16).double())


def test_characters_may_be_impossible_at_some_frames():
    case = Case((1, 2), t=5, c=4)
    logits = case.logits(n=2)
    logits[0, :, 2] = logits[1, 0, 0] = logits[4, :, 1] = -torch.inf
    assert_enumerated(*run(case, logits), logits, case)


def random_batch(seed, spread, n):
    rng = np.random.default_rng(seed)
    t, c = (rng.integers(2, 9), rng.integers(2, 6)) if n < 100 else (12, 5)
    words = [rng.integers(1, c, rng.integers(0, 5)).tolist() for _ in range(n)]
    frames = rng.integers(0, t + 1, n).tolist()
    logits = torch.from_numpy(spread * rng.standard_normal((t, n, c)))
    flat = torch.tensor([k for word in words for k in word], dtype=torch.int64)
    return logits, pack_labels(logits, flat, frames, [len(word) for word in words], 0)


@pytest.mark.parametrize("n, seeds", [(32, 20), (4000, 2)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0, 100.0, 200.0, 300.0, 400.0, 1e4])
def test_both_agree_wherever_the_scaled_one_is_sure(spread, n, seeds):
    sure = 0
    for seed in range(seeds):
        logits, labels = random_batch(seed, spread, n)
        emissions = emissions_of(logits, labels)
        quick, exact = scaled(emissions, labels), in_logarithms(emissions, labels)
        chosen = quick.sure & labels.feasible & (labels.frames > 0)
        torch.testing.assert_close(quick.total[chosen], exact.total[chosen], rtol=1e-12, atol=1e-12)
        valid = (torch.arange(len(logits))[:, None] < labels.frames) & chosen
        shares = ((o.states / o.mass[:, None]).transpose(1, 2) for o in (quick, exact))
        found, expected = (share[valid] for share in shares)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
        if spread <= 10:
            assert quick.sure[labels.feasible].all()
        sure += int(chosen.sum())
    assert sure > 50


def test_a_label_that_everything_speaks_against_is_done_again():
    # every character costs 400 nats: half of the label is beyond the range of a double
    case = Case((1, 2, 3), t=6, c=4)
    logits = torch.zeros(6, 2, 4, dtype=torch.float64)
    logits[:, 0, 0] = 400.0
    logits[:, 0, 1:] += torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    lattice, labels = run(case, logits)
    assert scaled(emissions_of(logits, labels), labels).sure.tolist() == [False, True]
    assert_enumerated(lattice, labels, logits, case, atol=1e-10)
