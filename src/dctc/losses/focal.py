"""Focal CTC: easy samples count less (Feng, Yao and Zhang, Complexity 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dctc.ctc import ctc_nll, pack_labels
from dctc.ctc.labels import Lengths
from dctc.losses.reduction import Reduction, check_reduction, reduce


class FocalCTCLoss(nn.Module):
    """a (1 - e^-L)^g L, with L = -log p(y | x) the CTC loss of a sample.

    e^-L is the probability of the label, so samples that are read well count less. Source: Feng,
    Yao and Zhang, "Focal CTC Loss for Chinese Optical Character Recognition on Unbalanced
    Datasets", Complexity 2019; the defaults are those of PaddleOCR's CTCLoss with
    ``use_focal_loss`` (ppocr/losses/rec_ctc_loss.py). The factor takes part in the gradient, there
    as here.

    Nats times the factor. Padded frames do not count. A sample whose label does not fit its frames
    is 0. With ``gamma=0`` and ``alpha=1`` this is CTC. Where L is small the loss is about a
    L^(g+1).

    Args:
        alpha: a, a factor on all samples.
        gamma: g, not negative.
        blank: Class of the blank.
        reduction: Of the focal losses, see :func:`dctc.losses.reduction.reduce`.

    Raises:
        ValueError: If an option is unknown or an argument of a call does not fit.

    Example:
        >>> logits = torch.zeros(1, 1, 2)  # one frame, which reads "1" with probability 1/2
        >>> loss = FocalCTCLoss()
        >>> round(loss(logits, torch.tensor([[1]]), [1], [1]).item(), 4)  # 1/4 of log 2
        0.1733
    """

    def __init__(
        self,
        alpha: float = 1.0,  # PaddleOCR
        gamma: float = 2.0,  # PaddleOCR
        blank: int = 0,
        reduction: Reduction = "batchmean",
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if gamma < 0:
            raise ValueError(f"gamma {gamma}: an exponent of at least 0 is expected")
        self.alpha = alpha
        self.gamma = gamma
        self.blank = blank
        self.reduction: Reduction = reduction

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
        *,
        features: Tensor | None = None,
        alignment: Tensor | None = None,
    ) -> Tensor:
        """Return the loss: a scalar, or ``(n,)`` for reduction ``none``; nats times the factor.

        Arguments as of :meth:`dctc.losses.CTCLoss.forward`; features and
        alignment are not used.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        nll = ctc_nll(logits, labels, self.blank)
        # above 0, so that the power of a sample without loss has a gradient
        miss = (-torch.expm1(-nll)).clamp(min=torch.finfo(nll.dtype).tiny)
        return reduce(self.alpha * miss**self.gamma * nll, labels.lengths, self.reduction)

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        return (
            f"alpha={self.alpha}, gamma={self.gamma}, blank={self.blank}, "
            f"reduction={self.reduction!r}"
        )
