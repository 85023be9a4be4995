"""Focal CTC against the enumeration of all paths and its closed form."""

import numpy as np
import pytest
import torch

from dctc.losses import FocalCTCLoss
from oracle.cases import FEASIBLE
from oracle.enumeration import log_softmax, nll, posterior
from oracle.gradient import value_and_gradient


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.5])
@pytest.mark.parametrize("case", FEASIBLE, ids=str)
def test_value_and_gradient_equal_the_enumeration(case, gamma):
    a = 0.7
    logits = case.logits(n=4)
    loss = FocalCTCLoss(alpha=a, gamma=gamma, blank=case.blank, reduction="none")
    value, gradient = value_and_gradient(loss, logits, *case.arguments(4))
    for i in range(4):
        sample = logits[:, i].numpy()
        ctc = nll(sample, case.label, case.blank)
        p = np.exp(-ctc)
        np.testing.assert_allclose(value[i], a * (1 - p) ** gamma * ctc, atol=1e-12)
        slope = a * (1 - p) ** gamma + a * gamma * (1 - p) ** (gamma - 1) * p * ctc
        by_ctc = np.exp(log_softmax(sample)) - posterior(sample, case.label, case.blank)
        np.testing.assert_allclose(gradient[:, i], (i + 1) * slope * by_ctc, atol=1e-11)


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_a_sample_read_perfectly_has_no_loss_and_a_finite_gradient(gamma):
    logits = torch.tensor([[[-1e3, 1e3]]])
    arguments = torch.tensor([[1]]), [1], [1]
    value, gradient = value_and_gradient(FocalCTCLoss(gamma=gamma), logits, *arguments)
    assert value == 0 and gradient.abs().sum() == 0
