"""CR-CTC: consistency of two views of an image, frame by frame (Yao et al., ICLR 2025)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, valid_frames
from dctc.losses.base import NOT_NEGATIVE, Allowed, Extras, RegularizedTerms, SequenceLoss
from dctc.losses.frames import ctc_and_labels, divergence, frame_log_probs, frame_sum


class ConsistencyCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = (CTC_a + CTC_b) / 2 + lambda R / 2, R = sum_t KL(sg B_t || A_t) + KL(sg A_t || B_t).

    A and B are the probabilities of two augmented views of the same image, sg stops the gradient:
    each view is drawn towards the other one as it stands, with gradient A - B and B - A. Source:
    Yao, Kang, Yang, Kuang, Guo, Zhu, Jin, Li, Lin and Povey, "CR-CTC: Consistency Regularization on
    CTC for Improved Speech Recognition", ICLR 2025 (arXiv 2410.05101). The views have to share
    every geometric transform, or their frames do not correspond; label and lengths are those of
    both.

    Nats. A sample whose label is impossible in a view is 0 in both terms. With ``weight=0`` this is
    the mean CTC of the views; with equal views it is CTC, and so it is in evaluation, with one
    view. ``terms`` holds the mean CTC of both views and R / 2.

    Args:
        weight: lambda.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.
    """

    needs = frozenset({"second"})
    options: Mapping[str, Allowed] = {"weight": NOT_NEGATIVE}

    def __init__(self, *, weight: float = 0.2, **common: Any) -> None:  # the paper's lambda
        super().__init__(**common)
        self.weight = weight

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        return self._terms(logits, labels, extras).weighted(self.weight)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        logits = logits.to(compute_dtype(logits))
        nll, read = ctc_and_labels(logits, labels, self.blank)
        second = self._needed(extras, logits.shape)
        if second is None:
            return RegularizedTerms(nll, torch.zeros_like(nll), read.feasible)
        second = second.to(logits.dtype)
        other, read_there = ctc_and_labels(second, labels, self.blank)
        labels = labels._replace(feasible=read.feasible & read_there.feasible)
        nll = ((nll + other) / 2).where(labels.feasible, 0.0)
        valid = valid_frames(labels, len(logits))
        a, b = frame_log_probs(logits, valid), frame_log_probs(second, valid)
        apart = frame_sum(divergence(b, a) + divergence(a, b), valid) / 2
        return RegularizedTerms(nll, apart, labels.feasible)
