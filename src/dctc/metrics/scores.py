"""Word accuracy, NED and CER of each set and of their union."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torchmetrics import MetricCollection

from dctc.metrics.accuracy import CharacterErrorRate, NormalizedEditDistance, WordAccuracy


class SetScores(nn.Module):
    """Word accuracy, NED and CER of each set, and of all of them together.

    Args:
        names: Names of the sets.
    """

    # nn.Module's attributes are opaque to type checkers
    of_sets: Any
    of_all: Any

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.names = tuple(names)
        self.of_sets = nn.ModuleList(_scores() for _ in self.names)
        self.of_all = _scores()

    def update(self, number: int, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions and labels of the set with this number."""
        for scores in (self.of_sets[number], self.of_all):
            scores.update(predictions, labels)

    def compute(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Return the name and the scores of each set, then those of all, whose name is empty."""
        for name, scores in zip(self.names, self.of_sets, strict=True):
            yield name, scores.compute()
        yield "", self.of_all.compute()


def _scores() -> MetricCollection:
    return MetricCollection(
        {
            "accuracy": WordAccuracy(),
            "ned": NormalizedEditDistance(),
            "cer": CharacterErrorRate(),
        }
    )
