"""Center loss: frames gather around the centre of their class (Wen et al., ECCV 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, compute_dtype, valid_frames
from dctc.losses.base import (
    COUNT,
    NOT_NEGATIVE,
    SHARE,
    Allowed,
    Extras,
    RegularizedTerms,
    SequenceLoss,
)
from dctc.losses.frames import ctc_and_labels, frame_mean


class CenterCTCLoss(SequenceLoss[RegularizedTerms]):
    """L = CTC + w mean_t |f_t - centre of z_t|^2, z_t the greedy class of frame t.

    Source: Wen, Zhang, Li and Qiao, "A Discriminative Feature Learning Approach for Deep Face
    Recognition", ECCV 2016, without its factor 1/2; for CTC as in PaddleOCR
    (ppocr/losses/center_loss.py), whose rules these are: a frame's class is argmax_k of its logits;
    blank frames count like all others; the weight is that of its configuration, 0.05, while its
    report of a gain names 0.25 (doc/doc_ch/enhanced_ctc_loss.md). PaddleOCR takes the mean over all
    frames of the batch, padded ones too, and its centres are fixed: drawn at random, which it says
    brings no clear gain, or the mean features of each class in a net trained with CTC before.

    Ours need no pre-trained net: they start at 0 and follow the features by eq. 4 of Wen et al.
    whenever the loss is called in training mode, after it was computed: for each class,
    centre += alpha sum (f - centre) / (1 + count). They are a buffer, stored with a checkpoint, and
    no optimizer or weight decay moves them. With several processes each moves its own; where the
    loss is part of the module that DistributedDataParallel wraps, those of the first are then
    copied to all before each forward pass.

    The term is in squared units of the features. Padded frames move no centre, nor do samples that
    are infeasible or whose terms are not finite. With ``weight=0`` this is CTC, and so it is in
    evaluation without features. ``terms`` holds CTC and the mean squared distance.

    Args:
        num_classes: c, the classes including the blank.
        num_features: d, the size of a frame's features.
        weight: w.
        center_rate: alpha, from 0 to 1.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.

    Attributes:
        centers: ``(c, d)`` the centres.
    """

    needs = frozenset({"features"})
    options: Mapping[str, Allowed] = {
        "num_classes": COUNT,
        "num_features": COUNT,
        "weight": NOT_NEGATIVE,
        "center_rate": SHARE,
    }
    centers: Tensor

    def __init__(
        self,
        num_classes: int,
        num_features: int,
        *,
        weight: float = 0.05,  # PaddleOCR, ch_PP-OCRv2_rec_enhanced_ctc_loss.yml
        center_rate: float = 0.5,  # Wen et al., where they vary lambda
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.num_classes, self.num_features = num_classes, num_features
        self.weight = weight
        self.center_rate = center_rate
        self.register_buffer("centers", torch.zeros(num_classes, num_features))

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        terms = self._terms(logits, labels, extras)
        if self.training and extras.features is not None:
            finite = terms.nll.isfinite() & terms.regularizer.isfinite()
            moving = labels._replace(feasible=terms.feasible & finite)
            self._move_centers(logits, moving, extras.features)
        return terms.weighted(self.weight)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> RegularizedTerms:
        nll, labels = ctc_and_labels(logits, labels, self.blank)
        features = self._needed(extras, (*logits.shape[:2], self.centers.shape[1]))
        if features is None:
            return RegularizedTerms(nll, torch.zeros_like(nll), labels.feasible)
        if logits.shape[2] != len(self.centers):
            raise ValueError(f"logits: {logits.shape[2]} classes, but {len(self.centers)} centres")
        if self.centers.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"centers: {self.centers.dtype}; keep the loss in float32")
        valid = valid_frames(labels, len(logits))
        offset = self._offset(logits, features, valid)
        distance = frame_mean(offset.square().sum(2), valid).to(nll.dtype)
        return RegularizedTerms(nll, distance, labels.feasible)

    def _offset(self, logits: Tensor, features: Tensor, valid: Tensor) -> Tensor:
        """Return f_t - centre of z_t, ``(t, n, d)``; 0 on frames that take no part."""
        features = features.to(compute_dtype(features))
        offset = features - self.centers[logits.argmax(2)].to(features.dtype)
        return offset.masked_fill(~valid[:, :, None], 0.0)

    @torch.no_grad()
    def _move_centers(self, logits: Tensor, labels: Labels, features: Tensor) -> None:
        valid = valid_frames(labels, len(logits))
        offset = self._offset(logits, features, valid).to(self.centers.dtype).flatten(0, 1)
        classes = logits.argmax(2).flatten()
        total = torch.zeros_like(self.centers).index_add_(0, classes, offset)
        count = total.new_zeros(len(total)).index_add_(0, classes, valid.flatten().to(total.dtype))
        self.centers += self.center_rate * total / (1 + count)[:, None]
