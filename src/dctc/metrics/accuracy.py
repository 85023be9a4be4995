"""Torchmetrics classes of word accuracy, NED and character error rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from dctc.metrics.edit_distance import edit_distance, normalized_similarity


class _Rate(Metric):
    """A sum over samples by another sum; nan before any sample."""

    full_state_update = False
    # Names of both sums, of each class its own: a MetricCollection updates only one of several
    # metrics that have equal states after the first batch
    _sums: tuple[str, str]

    def __init__(self) -> None:
        super().__init__()
        part, whole = self._sums
        zero = torch.tensor(0.0, dtype=torch.float64)  # float32 would lose a third beyond 2**24
        self.add_state(part, zero, dist_reduce_fx="sum")
        self.add_state(whole, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions against n labels, both already under the protocol."""
        pairs = zip(predictions, labels, strict=True)
        added = sum(self._score(prediction, label) for prediction, label in pairs)
        for name, value in zip(self._sums, (added, sum(map(self._size, labels))), strict=True):
            setattr(self, name, getattr(self, name) + value)

    def compute(self) -> Tensor:
        """Return the rate."""
        part, whole = (getattr(self, name) for name in self._sums)
        return (part / whole).float()

    def _score(self, prediction: str, label: str) -> float:
        raise NotImplementedError

    def _size(self, label: str) -> int:
        return 1


class WordAccuracy(_Rate):
    """Share of samples whose prediction equals the label, in [0, 1]; nan before any sample.

    Example:
        >>> accuracy = WordAccuracy()
        >>> accuracy.update(["cat", "dog"], ["cat", "dig"])
        >>> accuracy.compute().item()
        0.5
    """

    higher_is_better = True
    _sums = ("correct", "samples")

    def _score(self, prediction: str, label: str) -> float:
        return float(prediction == label)


class NormalizedEditDistance(_Rate):
    """Mean of :func:`normalized_similarity` over samples; nan before any sample.

    Example:
        >>> ned = NormalizedEditDistance()
        >>> ned.update(["cat", "dog"], ["cart", "dog"])
        >>> ned.compute().item()
        0.875
    """

    higher_is_better = True
    _sums = ("similarity", "samples")

    def _score(self, prediction: str, label: str) -> float:
        return normalized_similarity(prediction, label)


class CharacterErrorRate(_Rate):
    """Summed edit distance over summed label length; the lower the better, may exceed 1.

    Without any character in the labels: nan, or inf if something was read.

    Example:
        >>> cer = CharacterErrorRate()
        >>> cer.update(["cat", "dog"], ["cart", "dog"])
        >>> round(cer.compute().item(), 4)
        0.1429
    """

    higher_is_better = False
    _sums = ("edits", "characters")

    def _score(self, prediction: str, label: str) -> float:
        return edit_distance(prediction, label)

    def _size(self, label: str) -> int:
        return len(label)
