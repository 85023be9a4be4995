"""Character-level scores from the Levenshtein distance (rapidfuzz)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from rapidfuzz.distance import Levenshtein
from torch import Tensor
from torchmetrics import Metric


def edit_distance(prediction: str, label: str) -> int:
    """Return the least number of insertions, deletions and substitutions between two strings.

    Example:
        >>> edit_distance("kitten", "sitting")
        3
    """
    return Levenshtein.distance(prediction, label)


class EditOperations(NamedTuple):
    """The parts of an edit distance, on one shortest way from the label to the prediction.

    Attributes:
        substitutions: Characters of the label that were read as others.
        deletions: Characters of the label that are missing in the prediction.
        insertions: Characters that were read where the label has none.
    """

    substitutions: int
    deletions: int
    insertions: int


def edit_operations(prediction: str, label: str) -> EditOperations:
    """Count the operations of the edit distance by kind; their sum is :func:`edit_distance`.

    Several shortest ways may exist that share the distance out differently; rapidfuzz's is taken.

    Example:
        >>> edit_operations("sittin", "kitting")
        EditOperations(substitutions=1, deletions=1, insertions=0)
    """
    tags = [operation.tag for operation in Levenshtein.editops(label, prediction)]
    return EditOperations(*(tags.count(tag) for tag in ("replace", "delete", "insert")))


def normalized_similarity(prediction: str, label: str) -> float:
    """Return 1 - distance / max(length), in [0, 1]; 1 for two empty strings.

    What the literature calls NED or 1-NED; the higher the better (ICDAR 2019 ReCTS, FudanVI).

    Example:
        >>> normalized_similarity("cat", "cart")
        0.75
    """
    return Levenshtein.normalized_similarity(prediction, label)


class NormalizedEditDistance(Metric):
    """Mean over samples of :func:`normalized_similarity`; the higher the better.

    Nan before any sample.

    Example:
        >>> ned = NormalizedEditDistance()
        >>> ned.update(["cat", "dog"], ["cart", "dog"])
        >>> ned.compute().item()
        0.875
    """

    full_state_update = False
    higher_is_better = True
    similarity: Tensor
    total: Tensor

    def __init__(self) -> None:
        super().__init__()
        zero = torch.tensor(0.0, dtype=torch.float64)
        self.add_state("similarity", zero, dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions against n labels, both already under the protocol."""
        pairs = zip(predictions, labels, strict=True)
        self.similarity += sum(normalized_similarity(p, label) for p, label in pairs)
        self.total += len(labels)

    def compute(self) -> Tensor:
        """Return the mean."""
        return (self.similarity / self.total).float()


class CharacterErrorRate(Metric):
    """Summed edit distance over summed label length; the lower the better, may exceed 1.

    Without any character in the labels: nan, or inf if something was read.

    Example:
        >>> cer = CharacterErrorRate()
        >>> cer.update(["cat", "dog"], ["cart", "dog"])
        >>> round(cer.compute().item(), 4)
        0.1429
    """

    full_state_update = False
    higher_is_better = False
    edits: Tensor
    characters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("edits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("characters", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predictions: Sequence[str], labels: Sequence[str]) -> None:
        """Count n predictions against n labels, both already under the protocol."""
        self.edits += sum(edit_distance(p, x) for p, x in zip(predictions, labels, strict=True))
        self.characters += sum(map(len, labels))

    def compute(self) -> Tensor:
        """Return the rate."""
        return self.edits / self.characters
