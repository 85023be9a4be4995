"""Learning-rate schedules: pure functions of the share of training that is done."""

from __future__ import annotations

import math


class WarmupCosine:
    """Rise linearly to 1, then fall to ``final`` along half a cosine (SVTR's and PARSeq's shape).

    Args:
        warmup: Share of training over which the factor rises, in [0, 1).
        final: Factor at the end.

    Raises:
        ValueError: If ``warmup`` is outside [0, 1).

    Example:
        >>> schedule = WarmupCosine(warmup=0.1)
        >>> [round(schedule(p), 3) for p in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, warmup: float = 0.1, final: float = 0.0) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup {warmup}: a share of training in [0, 1) is expected")
        self.warmup = warmup
        self.final = final

    def __call__(self, progress: float) -> float:
        """Return the factor on the learning rate at ``progress`` in [0, 1]."""
        if progress < self.warmup:
            return progress / self.warmup
        done = min((progress - self.warmup) / (1 - self.warmup), 1.0)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))
