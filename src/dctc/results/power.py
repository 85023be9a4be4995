"""Minimum detectable differences: how small a difference a comparison could have found."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from dctc.results.significance import without_spread

ALPHA = 0.05  # level of the two-sided tests
POWER = 0.8  # Cohen's convention


def detectable_over_seeds(differences: np.ndarray) -> float:
    """Return the least true difference that the t-test over seeds finds, in percentage points.

    With a probability of 80 % at the two-sided level of 5 %: d times the standard deviation of the
    differences (n - 1 in its denominator), d the effect size at which the noncentral t
    distribution gives that power to as many seeds. The standard deviation is that of these seeds,
    and as uncertain as they are few. Nan where they differ by nothing, and so do not say it.

    Args:
        differences: ``(seeds,)`` differences in percentage points.
    """
    from statsmodels.stats.power import TTestPower

    if without_spread(differences):
        return float("nan")
    effect = TTestPower().solve_power(nobs=len(differences), alpha=ALPHA, power=POWER)
    return float(effect * np.std(differences, ddof=1))


def detectable_over_samples(a: np.ndarray, b: np.ndarray) -> float:
    """Return the least true difference that McNemar's test finds with one seed, in points.

    With a probability of 80 % at the two-sided level of 5 %: the root d of Connor's formula
    (Biometrics 1987) ``d sqrt(n) = z(.975) sqrt(q) + z(.8) sqrt(q - d^2)``, q the share of samples
    that one of the two alone read. Nan where there is none, which says nothing of it, and for
    three samples and less, which find no difference whatever.

    Args:
        a: ``(n,)`` bool, hits of the first.
        b: ``(n,)`` bool, hits of the second.
    """
    z_alpha, z_power = NormalDist().inv_cdf(1.0 - ALPHA / 2.0), NormalDist().inv_cdf(POWER)
    n, q = len(a), float(np.mean(a != b))
    spare = n - z_alpha**2 + z_power**2
    if spare < 0.0 or not q:
        return float("nan")
    root = z_alpha * np.sqrt(n) + z_power * np.sqrt(spare)
    return float(100.0 * np.sqrt(q) * root / (n + z_power**2))
