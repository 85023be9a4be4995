"""Label smoothing and confidence penalty on the frames of CTC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, valid_frames
from dctc.losses.base import NOT_NEGATIVE, SHARE, Allowed, Extras, RegularizedTerms, SequenceLoss
from dctc.losses.frames import ctc_and_labels, frame_log_probs, frame_mean, frame_sum


class LabelSmoothingCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = (1 - e) CTC + e mean_t KL(u || P_t), u the uniform distribution over all classes.

    The divergence is taken from u to P: KL(u || P) = -log c - mean_k log P_k, whose gradient with
    respect to the logits is P - u. It is unbounded, and pulls every class that has become
    improbable; the other direction, KL(P || u) = log c - H(P), is
    :class:`ConfidencePenaltyCTCLoss` up to a constant. Source: Kim, Seltzer, Li and Zhao, "Improved
    Training for Online End-to-End Speech Recognition Systems", Interspeech 2018 (arXiv 1711.02212).

    Nats. With ``weight=0`` this is CTC. ``terms`` holds CTC and the mean divergence.

    Args:
        weight: e, from 0 to 1.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.
    """

    options: Mapping[str, Allowed] = {"weight": SHARE}

    def __init__(self, *, weight: float = 0.1, **common: Any) -> None:  # ours
        super().__init__(**common)
        self.weight = weight

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        terms = self._terms(logits, labels, extras)
        return terms.weighted(self.weight, nll=1 - self.weight)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        logits = logits.to(compute_dtype(logits))
        nll, labels = ctc_and_labels(logits, labels, self.blank)
        valid = valid_frames(labels, len(logits))
        log_probs = frame_log_probs(logits, valid)
        uniform = frame_mean(-math.log(logits.shape[2]) - log_probs.mean(2), valid)
        return RegularizedTerms(nll, uniform, labels.feasible)


class ConfidencePenaltyCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = CTC - b sum_t H(P_t), H the entropy over all classes.

    Source: Pereyra, Tucker, Chorowski, Kaiser and Hinton, "Regularizing Neural Networks by
    Penalizing Confident Output Distributions", ICLR 2017 workshop (arXiv 1701.06548), eq. for
    L(theta); b H(P) is subtracted for each prediction, here for each frame. The gradient of -H
    with respect to the logits is P (log P + H). Up to the constant log c this is KL(P || u), see
    :class:`LabelSmoothingCTCLoss` for the other direction.

    Nats; the loss may be negative. With ``weight=0`` this is CTC. ``terms`` holds CTC and the
    summed entropy, which is subtracted.

    Args:
        weight: b.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.
    """

    options: Mapping[str, Allowed] = {"weight": NOT_NEGATIVE}

    def __init__(self, *, weight: float = 0.1, **common: Any) -> None:  # ours
        super().__init__(**common)
        self.weight = weight

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        return self._terms(logits, labels, extras).weighted(-self.weight)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        logits = logits.to(compute_dtype(logits))
        nll, labels = ctc_and_labels(logits, labels, self.blank)
        valid = valid_frames(labels, len(logits))
        log_probs = frame_log_probs(logits, valid)
        # finite, so that a class of probability 0 adds 0 and not NaN
        lowest = torch.finfo(log_probs.dtype).min
        entropy = -(log_probs.exp() * log_probs.clamp(min=lowest)).sum(2)
        return RegularizedTerms(nll, frame_sum(entropy, valid), labels.feasible)
