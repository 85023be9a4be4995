"""Edit operations and normalised similarity (NED) of two strings, by rapidfuzz."""

from __future__ import annotations

from typing import NamedTuple

from rapidfuzz.distance import Levenshtein


class EditOperations(NamedTuple):
    """Operations of a minimal alignment from the label to the prediction.

    Attributes:
        substitutions: Characters of the label replaced by others.
        deletions: Characters of the label that are missing in the prediction.
        insertions: Characters of the prediction that the label lacks.
    """

    substitutions: int
    deletions: int
    insertions: int


def edit_operations(prediction: str, label: str) -> EditOperations:
    """Count the operations of the edit distance by kind; their sum is the distance.

    Where minimal alignments tie, rapidfuzz's counts; deletions minus insertions does not depend on
    it.

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
