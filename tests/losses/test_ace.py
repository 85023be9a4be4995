"""ACE against its closed form."""

from collections import Counter

import numpy as np
import pytest
import torch

from dctc.losses import ACELoss
from oracle.enumeration import log_softmax
from oracle.gradient import value_and_gradient


@pytest.mark.parametrize("blank", [0, 2])
def test_value_and_gradient_are_the_closed_form(samples, blank):
    logits, targets, frames, lengths = samples
    targets = (targets + blank) % 5
    loss = ACELoss(blank=blank, reduction="none")
    value, gradient = value_and_gradient(loss, logits, targets, frames, lengths)
    for i in (0, 1, 2, 4):
        t, s = int(frames[i]), int(lengths[i])
        count = Counter(targets[i, :s].tolist())
        share = np.array([count[k] for k in range(5)]) / t
        share[blank] = (t - s) / t
        p = np.exp(log_softmax(logits[:t, i].numpy()))
        mean = p.mean(0)
        np.testing.assert_allclose(value[i], -(share * np.log(mean)).sum(), atol=1e-12)
        pull = share / mean  # d L / d p = -pull / t
        expected = p * ((p * pull).sum(1, keepdims=True) - pull) / t
        np.testing.assert_allclose(gradient[:t, i], (i + 1) * expected, atol=1e-12)


def test_a_label_as_long_as_its_frames_wants_no_blank():
    logits = torch.randn(3, 1, 4, generator=torch.Generator().manual_seed(0)).double()
    logits[:, :, 0] = -torch.inf
    value, gradient = value_and_gradient(ACELoss(), logits, torch.tensor([[1, 2, 3]]), [3], [3])
    mean = logits[:, 0, 1:].softmax(1).mean(0)
    torch.testing.assert_close(value, -mean.log().mean())
    assert gradient.isfinite().all()
