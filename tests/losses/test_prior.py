"""Label-prior CTC against the enumeration of all paths, and its prior."""

import numpy as np
import pytest
import torch

from dctc.losses import PriorCTCLoss
from oracle.cases import FEASIBLE
from oracle.enumeration import log_softmax, paths_of
from oracle.gradient import value_and_gradient
from oracle.paths import path_sums


def make(c, scale, seed=1, **options):
    loss = PriorCTCLoss(c, prior_scale=scale, reduction="none", **options).double()
    drawn = torch.randn(c, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    loss.prior.copy_((2 * drawn).softmax(0))
    return loss


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, scale):
    logits = case.logits(n=4)
    loss = make(case.c, scale, blank=case.blank).eval()
    value, gradient = value_and_gradient(loss, logits, *case.arguments(4))
    paths = paths_of(case.label, case.t, case.c, case.blank)
    for i in range(4):
        log_p = log_softmax(logits[:, i].numpy())
        scores = log_p - scale * loss.prior.log().numpy()  # they do not sum to 1
        nll, _, by_nll, _ = path_sums(scores, paths)
        np.testing.assert_allclose(value[i], nll, atol=1e-11)
        expected = np.exp(log_p) + by_nll  # P - gamma
        np.testing.assert_allclose(gradient[:, i], (i + 1) * expected, atol=1e-11)


def test_the_prior_is_the_running_mean_over_valid_frames(samples):
    loss = make(5, 0.5, momentum=0.75)
    before = loss.prior.clone()
    value = loss(*samples)
    assert torch.equal(value, make(5, 0.5).eval()(*samples))  # scored with the prior before it
    frames = [
        samples.logits[: samples.input_lengths[i], i].softmax(1) for i in (0, 1, 2, 4)
    ]  # neither padded ones nor those of infeasible samples
    expected = 0.75 * before + 0.25 * torch.cat(frames).mean(0)
    torch.testing.assert_close(loss.prior, expected)
    assert loss.prior.sum().item() == pytest.approx(1.0)
    assert not loss.prior.requires_grad


def test_the_prior_rests_in_evaluation_and_where_no_frame_is_valid(samples):
    loss = make(5, 0.5)
    before = loss.prior.clone()
    loss(*samples.only(slice(5, 7)))
    loss.eval()(*samples)
    assert torch.equal(loss.prior, before)


def test_a_class_that_never_occurs_has_a_finite_weight(samples):
    loss = make(5, 1.0).eval()
    loss.prior.copy_(torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0]))
    assert loss(*samples).isfinite().all()


def test_what_does_not_fit_is_named(samples):
    with pytest.raises(ValueError, match="5 classes, but a prior of 6"):
        PriorCTCLoss(6)(*samples)
    with pytest.raises(ValueError, match=r"prior: torch\.bfloat16; keep the loss in float32"):
        PriorCTCLoss(5).bfloat16()(*samples)
