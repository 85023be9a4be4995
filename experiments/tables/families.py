"""One difference from several families of nets: pooled, and as a random effect of the family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from dctc.results.statistics import LEVEL


class Estimate(NamedTuple):
    """A difference in points with its two-sided 95 % confidence interval and p.

    Attributes:
        points: The difference.
        low: Lower limit.
        high: Upper limit.
        p: Of no difference.
        error: Standard error.
        freedom: Degrees of freedom of the t distribution.
    """

    points: float
    low: float
    high: float
    p: float
    error: float
    freedom: float


def t_estimate(points: float, error: float, freedom: float) -> Estimate:
    """Return the t interval and p of a difference with a standard error."""
    half = stats.t.ppf((1 + LEVEL) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(points) / error, freedom) if error else float("nan")
    return Estimate(points, points - half, points + half, float(p), error, freedom)


def pooled_difference(
    values: pd.DataFrame, arm: str, reference: str, blocked: bool
) -> tuple[Estimate, dict[str, Estimate]]:
    """Return the equal-weight mean over families of arm minus reference, and that of each family.

    Runs of a family and an arm have one standard deviation, pooled over all families and arms. It
    is that of the residuals of ``family:arm``, or, if blocked, of ``family:arm + family:block``:
    what a block, such as a test fold, does to all arms of a family is taken out.

    Args:
        values: Columns ``family``, ``arm``, ``block`` and ``value`` (in percent): one row for each
            of them, nothing missing. All arms count for the standard deviation.
        arm: Compared.
        reference: What it is compared with.
        blocked: Whether arms share blocks.

    Raises:
        ValueError: If a family lacks a value that another one has.
    """
    table = values.pivot(index=["family", "arm"], columns="block", values="value")
    families, arms = table.index.get_level_values(0).unique(), [*values.arm.unique()]
    if table.isna().to_numpy().any() or len(table) != len(families) * len(arms):
        raise ValueError("a family lacks an arm or a block of another one")
    cube = table.to_numpy().reshape(len(families), len(arms), -1)  # (families, arms, blocks)
    residuals = cube - cube.mean(2, keepdims=True)
    freedom = len(families) * len(arms) * (cube.shape[2] - 1)
    if blocked:
        residuals = residuals - residuals.mean(1, keepdims=True)
        freedom -= len(families) * (cube.shape[2] - 1)
    sd = float(np.sqrt((residuals**2).sum() / freedom))
    wide = values.pivot_table(index="family", columns="arm", values="value", sort=False)
    gains = wide[arm] - wide[reference]
    error = sd * np.sqrt(2 / cube.shape[2])  # of one family
    of_each = {str(name): t_estimate(float(d), float(error), freedom) for name, d in gains.items()}
    mean_error = float(error / np.sqrt(len(gains)))
    return t_estimate(float(gains.mean()), mean_error, freedom), of_each


class RandomEffects(NamedTuple):
    """Mean over families that might have been others.

    Attributes:
        mean: The mean effect with its Hartung-Knapp interval.
        tau: Standard deviation of true effects between families, in points.
        low: Lower limit of the 95 % prediction interval of a further family's effect.
        high: Upper limit.
    """

    mean: Estimate
    tau: float
    low: float
    high: float


def random_effects(effects: Sequence[float], errors: Sequence[float]) -> RandomEffects:
    """Fit a random-effects meta-analysis: REML for tau, Hartung-Knapp for the mean.

    Hartung and Knapp, Statistics in Medicine 2001; the prediction interval, with k - 2 degrees of
    freedom, is that of Higgins, Thompson and Spiegelhalter, JRSS A 2009.

    Args:
        effects: ``(k,)``, one of each of at least three families.
        errors: ``(k,)``, their standard errors.
    """
    y, variance, k = np.asarray(effects, float), np.asarray(errors, float) ** 2, len(effects)

    def deviance(tau2: float) -> float:
        w = 1 / (variance + tau2)
        rest = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
        return float(-np.log(w).sum() + np.log(w.sum()) + rest)

    most = 10 * float(y.var(ddof=1)) + 1e-12
    found = optimize.minimize_scalar(
        deviance, bounds=(0, most), method="bounded", options={"xatol": 1e-10}
    )
    tau2 = float(found.x) if found.fun < deviance(0.0) else 0.0
    w = 1 / (variance + tau2)
    mean = float((w * y).sum() / w.sum())
    error2 = float((w * (y - mean) ** 2).sum() / (k - 1) / w.sum())
    half = stats.t.ppf((1 + LEVEL) / 2, k - 2) * np.sqrt(tau2 + error2)
    estimate = t_estimate(mean, float(np.sqrt(error2)), k - 1)
    return RandomEffects(estimate, float(np.sqrt(tau2)), float(mean - half), float(mean + half))


def holm(p: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm 1979), in their order.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p)
    steps = np.maximum.accumulate(np.sort(p) * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(steps, 1)
    return adjusted.tolist()
