"""Label smoothing and the confidence penalty against their closed forms."""

import math

import numpy as np
import pytest

from dctc.losses import ConfidencePenaltyCTCLoss, CTCLoss, LabelSmoothingCTCLoss
from oracle.enumeration import log_softmax
from oracle.gradient import value_and_gradient

WEIGHT = 0.3


def smoothed(log_p):
    """Share of CTC, mean divergence of P from the uniform distribution, and its gradient."""
    from_uniform = (0.2 * (math.log(0.2) - log_p)).sum(1).mean()
    return 1 - WEIGHT, from_uniform, (np.exp(log_p) - 0.2) / len(log_p)


def penalized(log_p):
    """Share of CTC, summed negative entropy, and its gradient."""
    p = np.exp(log_p)
    entropy = -(p * log_p).sum(1)
    return 1, -entropy.sum(), p * (log_p + entropy[:, None])


@pytest.mark.parametrize(
    ("loss", "form"), [(LabelSmoothingCTCLoss, smoothed), (ConfidencePenaltyCTCLoss, penalized)]
)
def test_value_and_gradient_are_the_closed_form(loss, form, samples):
    value, gradient = value_and_gradient(loss(weight=WEIGHT, reduction="none"), *samples)
    nll, by_nll = value_and_gradient(CTCLoss(reduction="none"), *samples)
    for i in (0, 1, 2, 4):  # the others do not fit
        t = int(samples.input_lengths[i])
        share, term, by_term = form(log_softmax(samples.logits[:t, i].numpy()))
        np.testing.assert_allclose(value[i], share * nll[i] + WEIGHT * term, atol=1e-12)
        expected = share * by_nll.numpy()[:t, i] + WEIGHT * (i + 1) * by_term
        np.testing.assert_allclose(gradient[:t, i], expected, atol=1e-12)
