"""Metrics: pure functions, and torchmetrics classes that sum counts over them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dctc.metrics.edit_distance import (
    EditOperations,
    edit_distance,
    edit_operations,
    normalized_similarity,
)

if TYPE_CHECKING:
    from dctc.metrics.accuracy import CharacterErrorRate, NormalizedEditDistance, WordAccuracy
    from dctc.metrics.alignment import AlignmentCounts, compare_alignment, true_alignment

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
_ALIGNMENT = ("AlignmentCounts", "compare_alignment", "true_alignment")


def __getattr__(name: str) -> Any:
    """Import what needs torch or torchmetrics, which takes seconds, when it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module 'dctc.metrics' has no attribute {name!r}")
    part = "alignment" if name in _ALIGNMENT else "accuracy"
    return getattr(import_module(f"dctc.metrics.{part}"), name)
