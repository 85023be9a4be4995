"""The terms of a regularised CTC loss, per sample."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class RegularizedTerms(NamedTuple):
    """The terms of a loss for each sample, unweighted.

    Attributes:
        nll: ``(n,)``, the CTC term, nats, not divided by the label's length.
        regularizer: ``(n,)``, what the loss adds to it, in the units that the loss names.
        feasible: ``(n,)`` bool, whether some path spells the label: it fits its frames, and no
            logits of -inf make it impossible. If not, the sample is 0 in both terms.
    """

    nll: Tensor
    regularizer: Tensor
    feasible: Tensor

    def weighted(self, regularizer: float, nll: float = 1.0) -> Tensor:
        """Return the weighted sum of both terms, ``(n,)``.

        A regularizer of weight 0 is left out: it may be infinite, and 0 times that is NaN.

        Args:
            regularizer: Weight of the regularizer.
            nll: Weight of the CTC term.
        """
        weighted = nll * self.nll
        return weighted + regularizer * self.regularizer if regularizer else weighted
