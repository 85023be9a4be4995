"""Greedy (best-path) CTC decoding."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor


class Reading(NamedTuple):
    """One decoded sample.

    Attributes:
        classes: Collapsed classes, without blanks.
        confidence: Probability of the best path, the product over valid frames, in [0, 1].
    """

    classes: list[int]
    confidence: float


def greedy_decode(logits: Tensor, input_lengths: Tensor, blank: int = 0) -> list[Reading]:
    """Take the best class of each frame, merge runs, remove blanks (Graves et al., ICML 2006).

    Args:
        logits: ``(t, n, c)`` logits or log-probabilities.
        input_lengths: ``(n,)`` valid frames of each sample; later frames are not read.
        blank: Class of the blank.

    Returns:
        n readings.
    """
    log_probs, best = logits.float().log_softmax(2).max(2)  # both (t, n)
    frames = torch.arange(best.shape[0], device=best.device)[:, None]
    valid = frames < input_lengths.to(best.device)[None, :]
    starts_run = torch.ones_like(valid)
    starts_run[1:] = best[1:] != best[:-1]
    keep = (valid & starts_run & (best != blank)).T  # (n, t)
    confidence = log_probs.masked_fill(~valid, 0.0).sum(0).exp().tolist()
    # one list of all classes, cut up, which spares a tensor for each sample
    classes = best.T[keep].tolist()
    ends = list(accumulate(keep.sum(1).tolist()))
    return [
        Reading(classes[begin:end], p)
        for begin, end, p in zip([0, *ends], ends, confidence, strict=False)
    ]
