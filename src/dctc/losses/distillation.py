"""Frame distillation: KL divergence of each frame from a teacher, added to CTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, valid_frames
from dctc.losses.base import NOT_NEGATIVE, SHARE, Allowed, Extras, RegularizedTerms, SequenceLoss
from dctc.losses.frames import ctc_and_labels, divergence, frame_log_probs, frame_sum


class DistillationCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = CTC + w sum_t KL(Q_t || P_t), Q the probabilities of a teacher.

    The naive distillation that the DCTC paper (arXiv 2308.08806, introduction) argues against:
    where teacher and student spike at different frames, the target of a frame is another character
    or the blank. The teacher here is an exponential moving average of the model itself, kept by
    :class:`dctc.training.needs.Teacher` or the caller; no gradient flows to it. That of the
    term with respect to the logits is P - Q.

    Nats. With ``weight=0``, and with a teacher equal to the model, this is CTC, and so it is in
    evaluation, without a teacher. ``terms`` holds CTC and the summed divergence.

    Args:
        weight: w.
        teacher_decay: How slowly the teacher follows, read by whoever keeps it.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.
    """

    needs = frozenset({"teacher"})
    options: Mapping[str, Allowed] = {"weight": NOT_NEGATIVE, "teacher_decay": SHARE}

    def __init__(
        self,
        *,
        weight: float = 0.1,  # ours: DCTC's default, which weighs a sum over frames too
        teacher_decay: float = 0.999,  # Tarvainen and Valpola, NeurIPS 2017
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.weight = weight
        self.teacher_decay = teacher_decay

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        return self._terms(logits, labels, extras).weighted(self.weight)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        logits = logits.to(compute_dtype(logits))
        nll, labels = ctc_and_labels(logits, labels, self.blank)
        teacher = self._needed(extras, logits.shape)
        if teacher is None:
            return RegularizedTerms(nll, torch.zeros_like(nll), labels.feasible)
        valid = valid_frames(labels, len(logits))
        target = frame_log_probs(teacher.detach().to(logits.dtype), valid)
        apart = frame_sum(divergence(target, frame_log_probs(logits, valid)), valid)
        return RegularizedTerms(nll, apart, labels.feasible)
