"""What the authors' code makes of samples whose label does not fit their frames; for comparison."""

from __future__ import annotations

import torch
from torch import Tensor

from dctc.ctc.labels import Labels
from dctc.ctc.torch_kernels import compute_dtype


def blank_cross_entropy(
    logits: Tensor, labels: Labels, blank: int, margin: float = 0.0, scale: float = 1.0
) -> Tensor:
    """Cross-entropy of every valid frame of the infeasible samples towards the blank.

    The CTC gradient of such a sample is 0, so that the authors' z* = argmin_k G/P is class 0, their
    blank, in every frame (their code, steps 2 to 5).

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        margin: Additive margin m on the logit of the blank.
        scale: Factor s on the logits.

    Returns:
        ``(n,)`` nats, summed over frames; 0 for feasible samples.
    """
    t, n, _ = logits.shape
    dtype = compute_dtype(logits)
    which = (~labels.feasible).nonzero()[:, 0]  # (k,)
    valid = torch.arange(t, device=logits.device)[:, None] < labels.frames[which]  # (t, k)
    scores = scale * logits[:, which].to(dtype).where(valid[:, :, None], 0.0)  # (t, k, c)
    lowered = scores.new_zeros(scores.shape[2])
    lowered[blank] = scale * margin
    surprise = -torch.log_softmax(scores - lowered, 2)[:, :, blank]  # (t, k)
    summed = surprise.where(valid, 0.0).sum(0)
    return logits.new_zeros(n, dtype=dtype).index_add(0, which, summed)


def blank_alignment(alignment: Tensor, labels: Labels, blank: int) -> Tensor:
    """Return z* ``(t, n)`` with the blank in the valid frames of the infeasible samples.

    Args:
        alignment: ``(t, n)`` z*.
        labels: The labels.
        blank: Class of the blank.
    """
    frame = torch.arange(len(alignment), device=alignment.device)[:, None]
    return alignment.masked_fill(~labels.feasible & (frame < labels.frames), blank)
