"""Metrics: pure functions, and torchmetrics classes that sum counts over them."""

from dctc.metrics.accuracy import CharacterErrorRate, NormalizedEditDistance, WordAccuracy
from dctc.metrics.alignment import AlignmentCounts, compare_alignment, true_alignment
from dctc.metrics.edit_distance import (
    EditOperations,
    edit_distance,
    edit_operations,
    normalized_similarity,
)

__all__ = [
    "AlignmentCounts",
    "CharacterErrorRate",
    "EditOperations",
    "NormalizedEditDistance",
    "WordAccuracy",
    "compare_alignment",
    "edit_distance",
    "edit_operations",
    "normalized_similarity",
    "true_alignment",
]
