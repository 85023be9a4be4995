"""The terms of a regularised CTC loss, per sample."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class RegularizedTerms(NamedTuple):
    """The terms of a loss for each sample, unweighted.

    Attributes:
        nll: ``(n,)``, the CTC term, nats, not divided by the label's length.
        regularizer: ``(n,)``, what the loss adds to it, in the units that the loss names.
        feasible: ``(n,)`` bool; an infeasible sample is 0 in both terms.
    """

    nll: Tensor
    regularizer: Tensor
    feasible: Tensor
