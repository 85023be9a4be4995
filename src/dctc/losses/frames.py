"""Frame-wise parts of regularised losses: valid log probabilities, KL divergence, sum, mean."""

from __future__ import annotations

import torch
from torch import Tensor

from dctc.ctc import Labels, ctc_terms


def ctc_and_labels(logits: Tensor, labels: Labels, blank: int) -> tuple[Tensor, Labels]:
    """Return CTC ``(n,)`` and the labels, with infeasible and impossible samples marked infeasible.

    A label is impossible if logits of -inf exclude all of its paths. So samples without a gradient
    of CTC take no part in its regularizer.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
    """
    terms = ctc_terms(logits, labels, blank, estimator=None)
    return terms.nll, labels._replace(feasible=terms.feasible)


def frame_log_probs(logits: Tensor, valid: Tensor) -> Tensor:
    """Return log probabilities of all classes; uniform, without gradient, on the other frames.

    Masked frames are ignored, even if NaN.

    Args:
        logits: ``(t, n, c)`` of float32 or float64.
        valid: ``(t, n)`` bool, the frames that take part.
    """
    return logits.masked_fill(~valid[:, :, None], 0.0).log_softmax(2)


def divergence(log_target: Tensor, log_probs: Tensor) -> Tensor:
    """Return KL(target || probs) of each frame, ``(t, n)`` nats.

    Args:
        log_target: ``(t, n, c)``; no gradient flows to it.
        log_probs: ``(t, n, c)``.
    """
    log_target = log_target.detach()
    target = log_target.exp()
    # a class of probability 0 in the target adds nothing, whatever it is in the other
    terms = torch.where(target > 0, target * (log_target - log_probs), 0.0)
    return terms.sum(2)


def frame_sum(per_frame: Tensor, valid: Tensor) -> Tensor:
    """Return the sum of ``(t, n)`` over the frames that take part, ``(n,)``."""
    return per_frame.masked_fill(~valid, 0.0).sum(0)


def frame_mean(per_frame: Tensor, valid: Tensor) -> Tensor:
    """Return the mean of ``(t, n)`` over the frames that take part, ``(n,)``; 0 for none."""
    return frame_sum(per_frame, valid) / valid.sum(0).clamp(min=1)
