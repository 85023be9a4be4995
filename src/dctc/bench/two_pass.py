"""DCTC written down the plain way: two CTC calls and full-size temporaries.

What one would write from the paper's description, kept as the yardstick of the benchmark and as a
second implementation for the tests. It does not treat infeasible samples or padded frames.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def two_pass_dctc(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    distill_weight: float = 0.1,
) -> Tensor:
    """Return the summed loss, nats.

    Args:
        logits: ``(t, n, c)``, all frames valid.
        targets: ``(n, s)`` padded classes; the blank is 0.
        input_lengths: ``(n,)``, all t.
        target_lengths: ``(n,)`` label lengths.
        distill_weight: alpha.
    """
    log_probs = logits.log_softmax(2)
    arguments = (targets, input_lengths, target_lengths)
    nll = F.ctc_loss(log_probs, *arguments, reduction="sum", zero_infinity=True)
    leaf = log_probs.detach().requires_grad_()
    second = F.ctc_loss(leaf, *arguments, reduction="sum", zero_infinity=True)
    (gradient,) = torch.autograd.grad(second, leaf)
    with torch.no_grad():
        alignment = (gradient / log_probs.exp().clamp(min=1e-8)).argmin(2)  # (t, n)
    return nll + distill_weight * F.nll_loss(
        log_probs.flatten(0, 1), alignment.flatten(), reduction="sum"
    )
