"""Connectionist temporal classification (Graves et al., ICML 2006)."""

from __future__ import annotations

from torch import Tensor

from dctc.ctc import CTCTerms, Labels, Logits, ctc_terms
from dctc.losses.base import Extras, SequenceLoss


class CTCLoss(SequenceLoss[CTCTerms]):
    """L = -log p(y | x), summed over all paths that collapse to the label y.

    Source: Graves, Fernandez, Gomez and Schmidhuber, "Connectionist Temporal Classification:
    Labelling Unsegmented Sequence Data with Recurrent Neural Networks", ICML 2006.

    Differs from :class:`torch.nn.CTCLoss` in that it takes logits as well as log probabilities
    (log_softmax is idempotent), batches only, and lengths as ``(n,)``, and runs its lattice in
    float64. Its reduction is ``batchmean`` by default, the sum of the labels' losses over their
    number; torch's ``mean`` divides each by the length of its label first. Nats. A sample whose
    label does not fit its frames, or has probability 0, is 0, always, as with torch's
    ``zero_infinity=True``, which may be given.

    ``terms`` also holds the z* of DCTC, the given alignment in its place if there is one, and the
    cross-entropy towards it, which the loss does not have.

    Args:
        blank: Class of the blank.
        reduction: ``none``, ``sum``, ``batchmean`` or ``mean``, see
            :func:`dctc.losses.base.reduce`.
        zero_infinity: See :class:`dctc.losses.base.SequenceLoss`.

    Example:
        >>> import torch
        >>> logits = torch.zeros(4, 1, 3)  # 4 frames, 1 sample, 3 classes
        >>> round(CTCLoss()(logits, torch.tensor([[1, 2]]), [4], [2]).item(), 4)  # 15 of 81 paths
        1.6864
    """

    fused = True

    def _per_sample(self, logits: Logits, labels: Labels, extras: Extras) -> Tensor:
        return ctc_terms(logits, labels, self.blank, estimator=None).nll

    def _terms(self, logits: Logits, labels: Labels, extras: Extras) -> CTCTerms:
        return ctc_terms(logits, labels, self.blank, alignment=extras.alignment)
