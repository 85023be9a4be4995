"""Labels small enough to enumerate, and random logits for them."""

from typing import NamedTuple

import numpy as np
import torch


class Case(NamedTuple):
    label: tuple[int, ...]
    t: int
    c: int
    blank: int = 0

    def __str__(self):
        return f"{'-'.join(map(str, self.label)) or 'empty'}_t{self.t}_c{self.c}_blank{self.blank}"

    def logits(self, n=16, peak=1.0, seed=0):
        """Normal logits of standard deviation ``peak``: ``(t, n, c)`` float64."""
        rng = np.random.default_rng(seed)
        return torch.from_numpy(peak * rng.standard_normal((self.t, n, self.c)))

    def arguments(self, n=16):
        """Targets, input lengths and target lengths of n samples with this label."""
        return torch.tensor([self.label] * n).long(), [self.t] * n, [len(self.label)] * n


FEASIBLE = [
    Case((1,), t=1, c=2),
    Case((1,), t=4, c=2),
    Case((1, 2), t=3, c=3),
    Case((1, 2), t=6, c=4),
    Case((1, 2, 3), t=3, c=4),  # exactly fits
    Case((1, 1), t=3, c=3),  # exactly fits, with the blank between
    Case((1, 1, 2), t=6, c=3),
    Case((2, 2, 2), t=6, c=4),
    Case((1, 2, 1), t=5, c=4),  # returns to a class
    Case((1, 2, 2, 1), t=5, c=3),  # exactly fits
    Case((), t=4, c=3),
    Case((1, 0), t=5, c=3, blank=2),
    Case((0, 2, 2, 0), t=6, c=4, blank=3),
    Case((2, 0, 2), t=5, c=3, blank=1),
]
