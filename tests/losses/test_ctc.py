"""CTCLoss against the enumeration of all paths and against torch."""

import inspect

import numpy as np
import pytest
import torch

from dctc import CTCLoss, DCTCLoss, losses
from oracle.cases import FEASIBLE, Case
from oracle.enumeration import log_softmax, nll, posterior
from oracle.gradient import value_and_gradient


@pytest.mark.parametrize("peak", [1.0, 6.0])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, peak):
    logits = case.logits(peak=peak)
    loss = CTCLoss(blank=case.blank, reduction="none")
    value, gradient = value_and_gradient(loss, logits, *case.arguments())
    for i in range(logits.shape[1]):
        sample = logits[:, i].numpy()
        np.testing.assert_allclose(value[i], nll(sample, case.label, case.blank), atol=1e-12)
        expected = np.exp(log_softmax(sample)) - posterior(sample, case.label, case.blank)
        np.testing.assert_allclose(gradient[:, i], (i + 1) * expected, atol=1e-12)


@pytest.mark.parametrize("never", [-torch.inf, torch.finfo(torch.float32).min])
def test_a_label_of_probability_zero_is_zero(never):
    case = Case((1, 2), t=4, c=3)
    logits = case.logits(n=3)
    logits[:, 1, 2] = never  # sample 1 can nowhere read its second character
    value, gradient = value_and_gradient(CTCLoss(reduction="none"), logits, *case.arguments(3))
    assert (value == 0).tolist() == [False, True, False]
    assert (gradient.abs().sum((0, 2)) == 0).tolist() == [False, True, False]


@pytest.mark.parametrize("ours", [CTCLoss, lambda **k: DCTCLoss(distill_weight=0, **k)])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean", "batchmean"])
def test_equals_torch(ours, reduction, samples):
    # torch's "none" for a label without frames is inf or 0 depending on the kernel: left out
    samples = samples.only(slice(5))
    usual, share = ("sum", 5) if reduction == "batchmean" else (reduction, 1)
    theirs = torch.nn.CTCLoss(reduction=usual, zero_infinity=True)
    expected = value_and_gradient(
        lambda x, *rest: theirs(x.log_softmax(2), *rest) / share, *samples
    )
    found = value_and_gradient(ours(reduction=reduction), *samples)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    assert found[1].abs().sum() > 0


def test_terms_are_those_of_the_likelihood_estimate(samples):
    found, expected = CTCLoss().terms(*samples), DCTCLoss().terms(*samples)
    for name in expected._fields:
        assert torch.equal(getattr(found, name), getattr(expected, name)), name
    torch.testing.assert_close(found.nll, CTCLoss(reduction="none")(*samples))
    given = expected.alignment.clamp(max=0)
    assert torch.equal(CTCLoss().terms(*samples, alignment=given).alignment, given)


def test_the_list_of_losses_holds_every_loss_of_the_package():
    listed = {type(loss).__name__ for loss in losses.every_loss(5, 3).values()}
    classes = {name for name in losses.__all__ if inspect.isclass(getattr(losses, name))}
    assert listed == classes - {"RegularizedTerms"}
