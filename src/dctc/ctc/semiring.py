"""The expectation semiring: sums over paths that carry the mean score of what they sum.

Eisner, "Parameter Estimation for Probabilistic Finite-State Transducers", ACL 2002; the mean in
place of his weighted sum keeps everything in range.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.recursion import NEVER


class Sum(NamedTuple):
    """Sums over partial paths.

    Attributes:
        log: Log of the summed exp scores.
        mean: Mean score, each path weighted by its share in the sum; None if nobody needs it.
    """

    log: Tensor
    mean: Tensor | None

    def through(self, emission: Tensor) -> Sum:
        """Add the score of a frame to all paths."""
        return Sum(self.log + emission, None if self.mean is None else self.mean + emission)

    def only(self, allowed: Tensor) -> Sum:
        """Keep the paths that are allowed."""
        return Sum(self.log.masked_fill(~allowed, NEVER), self.mean)

    def where(self, here: Tensor, other: Sum) -> Sum:
        """Take these sums here and the others elsewhere."""
        log = torch.where(here, self.log, other.log)
        if self.mean is None or other.mean is None:
            return Sum(log, None)
        return Sum(log, torch.where(here, self.mean, other.mean))

    def plus(self, other: Sum) -> Sum:
        """Add the paths of another sum."""
        log = torch.logaddexp(self.log, other.log)
        if self.mean is None or other.mean is None:
            return Sum(log, None)
        weight = (self.log - log).exp()
        return Sum(log, weight * self.mean + (1.0 - weight) * other.mean)

    def over(self, dim: int) -> Sum:
        """Add up along a dimension."""
        if self.log.shape[dim] == 1:
            return self.map(lambda x, _: x.squeeze(dim))
        log = self.log.logsumexp(dim)
        mean = None if self.mean is None else (self.log.softmax(dim) * self.mean).sum(dim)
        return Sum(log, mean)

    def map(self, function: Callable[[Tensor, float], Tensor]) -> Sum:
        """Apply ``function(tensor, what no path is)`` to both parts."""
        mean = None if self.mean is None else function(self.mean, 0.0)
        return Sum(function(self.log, NEVER), mean)
