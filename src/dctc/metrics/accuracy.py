"""Word accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class WordAccuracy(Metric):
    """Share of samples whose prediction equals the label, in [0, 1]; nan before any sample.

    Example:
        >>> accuracy = WordAccuracy()
        >>> accuracy.update(["cat", "dog"], ["cat", "dig"])
        >>> accuracy.compute().item()
        0.5
    """

    full_state_update = False
    higher_is_better = True
    correct: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions against n labels, both already under the protocol."""
        self.correct += sum(p == label for p, label in zip(predictions, labels, strict=True))
        self.total += len(labels)

    def compute(self) -> Tensor:
        """Return the share."""
        return self.correct / self.total
