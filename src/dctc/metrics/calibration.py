"""Calibration of confidences: expected calibration error and area under the risk-coverage curve."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

BINS = 15  # of equal width; Guo et al., ICML 2017


def expected_calibration_error(confidence: ArrayLike, hits: ArrayLike, bins: int = BINS) -> float:
    """Return the mean distance of confidence and accuracy over bins, weighted by their samples.

    Guo et al., "On calibration of modern neural networks", ICML 2017.

    Args:
        confidence: ``(n,)``, in [0, 1].
        hits: ``(n,)`` bool, whether each sample is right.
        bins: Bins of equal width; a bin holds its upper edge.

    Example:
        >>> expected_calibration_error([0.75, 0.75, 0.25, 0.25], [True, False, False, False])
        0.25
    """
    p, right = np.asarray(confidence, dtype=float), np.asarray(hits, dtype=float)
    number = np.clip(np.ceil(p * bins) - 1, 0, bins - 1).astype(int)
    gaps = np.bincount(number, weights=right - p, minlength=bins)
    return float(np.abs(gaps).sum() / len(p))


def area_under_risk_coverage(confidence: ArrayLike, hits: ArrayLike) -> float:
    """Return the mean share of errors among the k most confident samples, over k = 1 to n.

    Geifman, Uziel and El-Yaniv, ICLR 2019. Samples of equal confidence count as if in random order.

    Args:
        confidence: ``(n,)``, any measure that rises with confidence.
        hits: ``(n,)`` bool, whether each sample is right.

    Example:
        >>> area_under_risk_coverage([3.0, 2.0, 1.0], [True, True, False])
        0.1111111111111111
    """
    p, wrong = np.asarray(confidence, dtype=float), 1.0 - np.asarray(hits, dtype=float)
    _, group = np.unique(-p, return_inverse=True)
    share = np.bincount(group, weights=wrong) / np.bincount(group)
    errors = np.cumsum(share[np.sort(group)])  # expected, among the k most confident
    return float((errors / np.arange(1, len(p) + 1)).mean())
