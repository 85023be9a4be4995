"""Label smoothing and the confidence penalty against their closed forms."""

import math

import numpy as np
import torch

from dctc.losses import ConfidencePenaltyCTCLoss, CTCLoss, LabelSmoothingCTCLoss
from oracle.enumeration import log_softmax
from oracle.gradient import value_and_gradient

FITS = (0, 1, 2, 4)  # of the samples


def ctc(samples):
    return value_and_gradient(CTCLoss(reduction="none"), *samples)


def test_label_smoothing_goes_from_the_uniform_distribution_to_the_model(samples):
    e = 0.3
    value, gradient = value_and_gradient(
        LabelSmoothingCTCLoss(weight=e, reduction="none"), *samples
    )
    nll, by_nll = ctc(samples)
    for i in FITS:
        t = int(samples.input_lengths[i])
        log_p = log_softmax(samples.logits[:t, i].numpy())
        from_uniform = (0.2 * (math.log(0.2) - log_p)).sum(1).mean()
        np.testing.assert_allclose(value[i], (1 - e) * nll[i] + e * from_uniform, atol=1e-12)
        expected = (1 - e) * by_nll.numpy()[:t, i] + e * (i + 1) * (np.exp(log_p) - 0.2) / t
        np.testing.assert_allclose(gradient[:t, i], expected, atol=1e-12)


def test_confidence_penalty_is_the_summed_entropy(samples):
    b = 0.3
    value, gradient = value_and_gradient(
        ConfidencePenaltyCTCLoss(weight=b, reduction="none"), *samples
    )
    nll, by_nll = ctc(samples)
    for i in FITS:
        t = int(samples.input_lengths[i])
        log_p = log_softmax(samples.logits[:t, i].numpy())
        p = np.exp(log_p)
        entropy = -(p * log_p).sum(1)
        np.testing.assert_allclose(value[i], nll[i] - b * entropy.sum(), atol=1e-12)
        expected = by_nll.numpy()[:t, i] + b * (i + 1) * p * (log_p + entropy[:, None])
        np.testing.assert_allclose(gradient[:t, i], expected, atol=1e-12)


def test_the_two_directions_agree_on_nothing_but_the_uniform_distribution(samples):
    flat = samples._replace(logits=0 * samples.logits)
    arguments = [part[..., :3, :] if part.ndim == 3 else part[:3] for part in flat]
    assert LabelSmoothingCTCLoss().terms(*arguments).regularizer.abs().max() < 1e-15
    entropy = ConfidencePenaltyCTCLoss().terms(*arguments).regularizer
    torch.testing.assert_close(entropy, math.log(5) * samples.input_lengths[:3].double())
