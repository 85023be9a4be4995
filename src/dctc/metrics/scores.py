"""Word accuracy, NED and character error rate as torchmetrics: of one set, and of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor, nn
from torchmetrics import Metric

from dctc.metrics.edit_distance import normalized_similarity


class TextScores(Metric):
    """Word accuracy, NED and character error rate (CER) of predictions.

    Accuracy is the share of samples whose prediction equals the label, NED the mean of
    :func:`~dctc.metrics.edit_distance.normalized_similarity`, both in [0, 1]; CER the summed edit
    distance over the summed label length: the lower the better, it may exceed 1. All are nan before
    any sample; CER without any character in the labels is nan, or inf if something was read.

    Example:
        >>> scores = TextScores()
        >>> scores.update(["cat", "dog"], ["cart", "dog"])
        >>> {name: round(value.item(), 4) for name, value in scores.compute().items()}
        {'accuracy': 0.5, 'ned': 0.875, 'cer': 0.1429}
    """

    full_state_update = False
    # Sums of all processes; float64, as float32 would lose a third beyond 2**24 samples
    samples: Tensor
    correct: Tensor
    similarity: Tensor
    edits: Tensor
    characters: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("samples", "correct", "similarity", "edits", "characters"):
            self.add_state(name, torch.tensor(0.0, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions against n labels, both already under the protocol."""
        pairs = list(zip(predictions, labels, strict=True))
        self.samples += len(pairs)
        self.correct += sum(prediction == label for prediction, label in pairs)
        self.similarity += sum(normalized_similarity(*pair) for pair in pairs)
        self.edits += sum(Levenshtein.distance(*pair) for pair in pairs)
        self.characters += sum(map(len, labels))

    def compute(self) -> dict[str, Tensor]:
        """Return ``accuracy``, ``ned`` and ``cer``."""
        rates = {
            "accuracy": self.correct / self.samples,
            "ned": self.similarity / self.samples,
            "cer": self.edits / self.characters,
        }
        return {name: rate.float() for name, rate in rates.items()}


class SetScores(nn.Module):
    """:class:`TextScores` of each set, and of all of them together.

    Args:
        names: Names of the sets.
    """

    # nn.Module's attributes are opaque to type checkers
    of_sets: Any
    of_all: Any

    def __init__(self, names: Sequence[str] = ()) -> None:
        super().__init__()
        self.names = tuple(names)
        self.of_sets = nn.ModuleList(TextScores() for _ in self.names)
        self.of_all = TextScores()

    def update(self, number: int, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions and labels of the set with this number."""
        for scores in (self.of_sets[number], self.of_all):
            scores.update(predictions, labels)

    def compute(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Return the name and the scores of each set, then those of all, whose name is empty."""
        for name, scores in zip(self.names, self.of_sets, strict=True):
            yield name, scores.compute()
        yield "", self.of_all.compute()
