"""Statistics of paired comparisons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Z95 = 1.959964  # 97.5 % quantile of the standard normal distribution


class Difference(NamedTuple):
    """Difference of two accuracies on the same samples.

    Attributes:
        points: Accuracy of b minus accuracy of a, in percentage points.
        half_width: Half the width of the 95 % interval, in percentage points.
    """

    points: float
    half_width: float


def paired_difference(a: np.ndarray, b: np.ndarray) -> Difference:
    """Compare two readers of the same samples.

    The interval is the normal approximation for paired proportions: the variance of the mean of
    ``b - a``. It covers the choice of samples only, not the training seed.

    Args:
        a: ``(n,)`` bool, hits of the first.
        b: ``(n,)`` bool, hits of the second, in the same order.

    Raises:
        ValueError: If the samples are not the same number, or none.

    Example:
        >>> a, b = np.array([True, True, False, False]), np.array([True, True, True, False])
        >>> paired_difference(a, b).points
        25.0
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"hits of {len(a)} and of {len(b)} samples cannot be paired")
    gain = b.astype(float) - a.astype(float)
    error = gain.std() / np.sqrt(len(gain))
    return Difference(float(100.0 * gain.mean()), float(100.0 * Z95 * error))
