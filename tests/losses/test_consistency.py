"""CR-CTC against its definition, and frame distillation, which is one half of it."""

import numpy as np
import pytest
import torch

from dctc.losses import ConsistencyCTCLoss, CTCLoss, DistillationCTCLoss
from oracle.enumeration import log_softmax
from oracle.gradient import value_and_gradient

FITS = (0, 1, 2, 4)  # of the samples


@pytest.fixture
def second(samples):
    generator = torch.Generator().manual_seed(9)
    return samples.logits + torch.randn(9, 7, 5, generator=generator, dtype=torch.float64)


def both_gradients(loss, logits, second, *rest):
    a, b = logits.clone().requires_grad_(), second.clone().requires_grad_()
    value = loss(a, *rest, second=b)
    return value.detach(), *torch.autograd.grad(value.sum(), (a, b))


def divergence(log_q, log_p):
    return (np.exp(log_q) * (log_q - log_p)).sum()


def test_value_and_both_gradients(samples, second):
    lam = 0.6
    logits, *rest = samples
    loss = ConsistencyCTCLoss(weight=lam, reduction="none")
    value, by_a, by_b = both_gradients(loss, logits, second, *rest)
    nll_a, by_nll_a = value_and_gradient(CTCLoss(reduction="none"), logits, *rest)
    nll_b, by_nll_b = value_and_gradient(CTCLoss(reduction="none"), second, *rest)
    for i in FITS:
        t = int(samples.input_lengths[i])
        a, b = (log_softmax(x[:t, i].numpy()) for x in (logits, second))
        apart = 0.5 * (divergence(a, b) + divergence(b, a))
        np.testing.assert_allclose(value[i], (nll_a[i] + nll_b[i]) / 2 + lam * apart, atol=1e-12)
        pull = lam / 2 * (np.exp(a) - np.exp(b))  # what is stopped has no gradient
        expected = by_nll_a.numpy()[:t, i] / (i + 1) / 2 + pull
        np.testing.assert_allclose(by_a[:t, i], expected, atol=1e-12)
        expected = by_nll_b.numpy()[:t, i] / (i + 1) / 2 - pull
        np.testing.assert_allclose(by_b[:t, i], expected, atol=1e-12)


def test_a_label_that_one_view_makes_impossible_is_left_out(samples, second):
    logits, *rest = samples
    second[:, 0, 1] = -torch.inf  # sample 0 reads 1, 2, 3
    loss = ConsistencyCTCLoss(reduction="none")
    for a, b in ((logits, second), (second, logits)):
        value, by_a, by_b = both_gradients(loss, a, b, *rest)
        assert value[0] == 0 and not by_a[:, 0].any() and not by_b[:, 0].any()
        assert not loss.terms(a, *rest, second=b).feasible[0] and value[1] > 0


def test_distillation_is_the_divergence_from_the_teacher(samples, second):
    w = 0.6
    loss = DistillationCTCLoss(weight=w, reduction="none")
    teacher = second.clone().requires_grad_()
    value, gradient = value_and_gradient(loss, *samples, teacher=teacher)
    assert teacher.grad is None
    nll, by_nll = value_and_gradient(CTCLoss(reduction="none"), *samples)
    for i in FITS:
        t = int(samples.input_lengths[i])
        p, q = (log_softmax(x[:t, i].numpy()) for x in (samples.logits, second))
        np.testing.assert_allclose(value[i], nll[i] + w * divergence(q, p), atol=1e-12)
        expected = by_nll.numpy()[:t, i] + w * (i + 1) * (np.exp(p) - np.exp(q))
        np.testing.assert_allclose(gradient[:t, i], expected, atol=1e-12)


def test_a_teacher_may_rule_classes_out(samples, second):
    second[:, 0, 4] = -torch.inf
    loss = DistillationCTCLoss(reduction="none")
    value, gradient = value_and_gradient(loss, *samples, teacher=second)
    assert value.isfinite().all() and gradient.isfinite().all()
