"""Focal CTC: easy samples count less (Feng, Yao and Zhang, Complexity 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dctc.ctc import Labels, ctc_terms
from dctc.losses.base import NOT_NEGATIVE, Allowed, Extras, SequenceLoss


class FocalCTCLoss(SequenceLoss):
    """a (1 - e^-L)^g L, with L = -log p(y | x) the CTC loss of a sample.

    e^-L is the probability of the label, so samples that are read well count less. Source: Feng,
    Yao and Zhang, "Focal CTC Loss for Chinese Optical Character Recognition on Unbalanced
    Datasets", Complexity 2019; the defaults are those of PaddleOCR's CTCLoss with
    ``use_focal_loss`` (ppocr/losses/rec_ctc_loss.py). The factor takes part in the gradient, there
    as here.

    Nats times the factor. With ``gamma=0`` and ``alpha=1`` this is CTC. Where L is small the loss
    is about a L^(g+1).

    Args:
        alpha: a, a factor on all samples.
        gamma: g, not negative.
        **common: ``blank``, ``reduction`` and ``zero_infinity``, see :class:`SequenceLoss`.

    Example:
        >>> logits = torch.zeros(1, 1, 2)  # one frame, which reads "1" with probability 1/2
        >>> loss = FocalCTCLoss()
        >>> round(loss(logits, torch.tensor([[1]]), [1], [1]).item(), 4)  # 1/4 of log 2
        0.1733
    """

    options: Mapping[str, Allowed] = {"alpha": NOT_NEGATIVE, "gamma": NOT_NEGATIVE}

    def __init__(
        self,
        *,
        alpha: float = 1.0,  # PaddleOCR
        gamma: float = 2.0,  # PaddleOCR
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.alpha = alpha
        self.gamma = gamma

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        nll = ctc_terms(logits, labels, self.blank, estimator=None).nll
        # above 0, so that the power of a sample without loss has a gradient
        miss = (-torch.expm1(-nll)).clamp(min=torch.finfo(nll.dtype).tiny)
        return self.alpha * miss**self.gamma * nll
