"""Connectionist temporal classification (Graves et al., ICML 2006)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dctc.ctc import CTCTerms, ctc_nll, ctc_terms, pack_labels
from dctc.ctc.labels import Lengths
from dctc.losses.reduction import Reduction, check_reduction, reduce


class CTCLoss(nn.Module):
    """L = -log p(y | x), summed over all paths that collapse to the label y.

    Source: Graves, Fernandez, Gomez and Schmidhuber, "Connectionist Temporal Classification:
    Labelling Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006.

    Differs from :class:`torch.nn.CTCLoss` in that it takes logits as well as log probabilities
    (log_softmax is idempotent), runs its lattice in float64, never returns infinity, and knows the
    reduction ``batchmean``. Nats; padded frames do not count. A sample whose label does not fit its
    frames is 0, as with torch's ``zero_infinity=True``.

    Args:
        blank: Class of the blank.
        reduction: ``none``, ``sum``, ``batchmean`` or ``mean``, see
            :func:`dctc.losses.reduction.reduce`.

    Raises:
        ValueError: If the reduction is unknown or an argument of a call does not fit.

    Example:
        >>> logits = torch.zeros(4, 1, 3)  # 4 frames, 1 sample, 3 classes
        >>> round(CTCLoss()(logits, torch.tensor([[1, 2]]), [4], [2]).item(), 4)  # 15 of 81 paths
        1.6864
    """

    def __init__(self, blank: int = 0, reduction: Reduction = "batchmean") -> None:
        super().__init__()
        check_reduction(reduction)
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
        """Return the loss.

        Args:
            logits: ``(t, n, c)`` logits or log probabilities.
            targets: Padded ``(n, s)`` or concatenated ``(sum(target_lengths),)`` classes.
            input_lengths: ``(n,)`` valid frames.
            target_lengths: ``(n,)`` label lengths.
            features: Not used by this loss.
            alignment: Not used by this loss.

        Returns:
            A scalar, or ``(n,)`` for reduction ``none``; nats.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        return reduce(ctc_nll(logits, labels, self.blank), labels.lengths, self.reduction)

    @torch.no_grad()
    def terms(
        self,
        logits: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
        *,
        features: Tensor | None = None,
        alignment: Tensor | None = None,
    ) -> CTCTerms:
        """Return nll, cross-entropy towards z* and z* itself per sample, without gradient."""
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        return ctc_terms(logits, labels, self.blank, alignment=alignment)

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        return f"blank={self.blank}, reduction={self.reduction!r}"
