"""Tests of differences: the paired t-test over seeds, McNemar's over samples, Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

LEVEL = 0.95  # of intervals; tests are two-sided at 1 - LEVEL
EXACT_BELOW = 25  # discordant samples; fewer are too few for the chi-squared approximation
_ROUNDING = 1e-9  # points; far less than one sample of any set


class TTest(NamedTuple):
    """What a paired t-test says; all None where it says nothing.

    Attributes:
        p: Two-sided.
        low: Lower end of the 95 % interval of the mean.
        high: Upper end.
    """

    p: float | None
    low: float | None
    high: float | None


NO_TEST = TTest(None, None, None)


def paired_t(differences: np.ndarray) -> TTest:
    """Test the mean of ``(seeds,)`` differences.

    Equal differences say nothing of how far others lie (t would be infinite, or 0 / 0): the test
    is unknown, as a few seeds that agree by chance prove nothing.

    Raises:
        ValueError: If there are fewer than two.
    """
    from scipy import stats

    if len(differences) < 2:
        raise ValueError(f"paired t-test: {len(differences)} seed; it takes two at least")
    if without_spread(differences):
        return NO_TEST
    test = stats.ttest_1samp(differences, 0.0)
    low, high = test.confidence_interval(LEVEL)
    return TTest(float(test.pvalue), float(low), float(high))


def without_spread(differences: np.ndarray) -> bool:
    """Return whether differences in points are equal but for rounding."""
    return bool(np.ptp(differences) < _ROUNDING)


def mcnemar_p(a: np.ndarray, b: np.ndarray) -> float:
    """Return McNemar's two-sided p for the ``(n,)`` hits of two readers of the same samples.

    Exact (binomial) below 25 samples that one of them alone read, else chi-squared with the
    continuity correction.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    a, b = np.asarray(a, bool), np.asarray(b, bool)
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    return float(mcnemar(table, exact=table[0][1] + table[1][0] < EXACT_BELOW).pvalue)


def holm(p: Mapping[str, float | None]) -> dict[str, float]:
    """Correct the p of several rivals for their number (Holm 1979: family-wise error rate).

    Those that are not known (None) are left out, and not counted.

    Example:
        >>> holm({"focal": 0.01, "entropy": 0.04})
        {'focal': 0.02, 'entropy': 0.04}
    """
    from statsmodels.stats.multitest import multipletests

    known = {name: value for name, value in p.items() if value is not None}
    corrected = multipletests(list(known.values()), method="holm")[1] if known else []
    return {name: float(value) for name, value in zip(known, corrected, strict=True)}
