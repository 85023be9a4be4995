"""The scaled recursion against the one in logarithms, and when it knows that it lost something."""

import numpy as np
import pytest
import torch

from dctc.ctc import candidate_classes, forward_backward, pack_labels
from dctc.ctc.recursion import in_logarithms, scaled
from oracle.enumeration import nll, posterior


def emissions_of(logits, labels):
    columns = candidate_classes(labels, 0).expand(len(logits), -1, -1)
    return logits.log_softmax(2).gather(2, columns)


def random_batch(seed, spread):
    rng = np.random.default_rng(seed)
    t, n, c = rng.integers(2, 9), 32, rng.integers(2, 6)
    words = [rng.integers(1, c, rng.integers(0, 5)).tolist() for _ in range(n)]
    frames = rng.integers(0, t + 1, n).tolist()
    logits = torch.from_numpy(spread * rng.standard_normal((t, n, c)))
    flat = torch.tensor([k for word in words for k in word], dtype=torch.int64)
    return logits, pack_labels(logits, flat, frames, [len(word) for word in words], 0)


@pytest.mark.parametrize("spread", [0.0, 1.0, 10.0, 100.0, 300.0, 1e4])
def test_both_agree_wherever_the_scaled_one_is_sure(spread):
    sure = 0
    for seed in range(20):
        logits, labels = random_batch(seed, spread)
        emissions = emissions_of(logits, labels)
        quick, exact = scaled(emissions, labels), in_logarithms(emissions, labels)
        chosen = quick.sure & labels.feasible & (labels.frames > 0)
        torch.testing.assert_close(quick.total[chosen], exact.total[chosen], rtol=1e-12, atol=1e-12)
        valid = (torch.arange(len(logits))[:, None] < labels.frames) & chosen
        found, expected = (o.states.transpose(1, 2)[valid] for o in (quick, exact))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
        if spread <= 10:
            assert quick.sure[labels.feasible].all()
        sure += int(chosen.sum())
    assert sure > 50


def test_a_label_that_everything_speaks_against_is_done_again():
    # every character costs 400 nats: half of the label is beyond the range of a double
    logits = torch.zeros(6, 2, 4, dtype=torch.float64)
    logits[:, 0, 0] = 400.0
    logits[:, 0, 1:] += torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2, 3]] * 2)
    labels = pack_labels(logits, targets, [6, 6], [3, 3], 0)
    emissions = emissions_of(logits, labels)
    assert scaled(emissions, labels).sure.tolist() == [False, True]
    lattice = forward_backward(emissions, labels)
    columns = candidate_classes(labels, 0).expand(6, -1, -1)
    by_class = torch.zeros_like(logits).scatter_add(2, columns, lattice.posterior)
    for i in range(2):
        np.testing.assert_allclose(lattice.nll[i], nll(logits[:, i].numpy(), (1, 2, 3)), rtol=1e-12)
        expected = posterior(logits[:, i].numpy(), (1, 2, 3))
        np.testing.assert_allclose(by_class[:, i], expected, atol=1e-10)
