"""Differences between arms: means over runs, with one 95 % confidence interval each.

Two sources of variance enter every interval: seeds and test words.

- *Seeds.* The standard deviation of runs within an arm, pooled over the arms of a study, times
  ``sqrt(1 / k1 + 1 / k2)`` for arms of k1 and k2 runs. Pooling uses all runs, so that three
  seeds that happen to agree do not narrow an interval. Runs are not paired by seed, since a shared
  seed does not make two nets alike. Where each seed has test words of its own, such as a fold,
  what these do to all arms is taken out (residuals of arm and seed).
- *Words.* The standard error of the mean over test words of the difference of the two arms' hit
  rates, which are paired word by word. On several sets that count the same: of the mean of sets.

The two are added in quadrature. One arm against one reference gets a t interval with the degrees of
freedom of Satterthwaite (1946) and a two-sided p. Several arms against one reference get intervals
that hold together with 95 % (Dunnett 1955, :func:`scipy.stats.dunnett`), and no p.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy import stats

from dctc.results.frame import per_run, rows_of
from dctc.results.registry import Registry

LEVEL = 0.95  # of all intervals
COLUMNS = ("runs", "reference_runs", "n", "value", "reference_value", "points", "low", "high", "p")
EXPLAINED = (
    "Difference: arm minus reference, percentage points, with the 95 % CI over seeds (standard "
    "deviation pooled over the arms of the study) and test words."
)


def compare(
    frame: pd.DataFrame,
    registry: Registry,
    reference: str,
    arms: Sequence[str],
    sets: Sequence[str],
    metric: str = "accuracy",
    pool: Sequence[str] = (),
) -> pd.DataFrame:
    """Compare arms with a reference on one test set, or on the mean of several.

    Args:
        frame: From :func:`dctc.results.frame.read_frame`.
        registry: Registry that holds the hits of single words.
        reference: Name of the reference arm.
        arms: Names of the arms. If there are several, their intervals are simultaneous (Dunnett).
        sets: Names of the sets; each counts the same.
        metric: ``accuracy``, ``ned`` or another column. The words' part of the interval is known
            for accuracy alone; intervals of other metrics allow for seeds only.
        pool: Further arms, pooled for the standard deviation over seeds.

    Returns:
        One row for each arm that has runs; no row if the reference has none. The columns are
        :data:`COLUMNS`: runs of both, words, means of both in percent, the difference in points
        and its interval. ``p`` is NaN where several arms are compared. Where no arm has two runs,
        the interval allows for words only. Where test sets differ from seed to seed, only seeds
        that both arms have are compared.

    Raises:
        ValueError: If two runs were not scored on the same samples under the same protocol, or not
            trained for as many steps.
    """
    every = dict.fromkeys((reference, *arms, *pool))
    frame = frame[frame.arm.isin([*every]) & frame.set.isin(list(sets))]
    values = {arm: per_run(frame, arm, sets, metric) for arm in every}
    known = [arm for arm in arms if len(values[arm])]
    if not known or not len(values[reference]):
        return pd.DataFrame(columns=list(COLUMNS))
    apart = check_comparable(frame, [reference, *known], sets)
    spread, freedom = (blocked_sd if apart else pooled_sd)([*values.values()])
    counts = tuple(len(values[arm]) for arm in known)
    rows = {}
    for arm in known:
        a, b = values[reference], values[arm]
        if apart:
            a, b = (own[own.index.isin(a.index) & own.index.isin(b.index)] for own in (a, b))
        if not len(b):
            continue
        of_seeds = spread**2 * (1 / len(a) + 1 / len(b)) if freedom else 0.0
        groups = [[seed] for seed in a.index] if apart else [sorted({*a.index, *b.index})]
        of_words, n = _words(frame, registry, (reference, arm), sets, groups)
        if metric != "accuracy":
            of_words = 0.0
        error, df = _combined(of_seeds, freedom, of_words, n - 1)
        points = b.mean() - a.mean()
        if len(known) == 1:
            times = stats.t.ppf((1 + LEVEL) / 2, df)
            p = 2 * stats.t.sf(abs(points) / error, df) if error else float("nan")
        else:
            times, p = dunnett_critical(len(a), counts, df), float("nan")
        low, high = (points - times * error, points + times * error) if error else (np.nan, np.nan)
        row = (len(b), len(a), n, b.mean(), a.mean(), points, low, high, p)
        rows[arm] = dict(zip(COLUMNS, row, strict=True))
    return pd.DataFrame.from_dict(rows, orient="index")


def pooled_sd(groups: Sequence[Sequence[float] | pd.Series]) -> tuple[float, int]:
    """Return the standard deviation within groups, and its degrees of freedom.

    Example:
        >>> pooled_sd([[1.0, 3.0], [5.0, 5.0, 8.0], [2.0]])
        (1.632993161855452, 3)
    """
    arrays = [np.asarray(group, dtype=float) for group in groups]
    freedom = sum(max(len(array) - 1, 0) for array in arrays)
    squares = sum(float(((array - array.mean()) ** 2).sum()) for array in arrays if len(array))
    return (float(np.sqrt(squares / freedom)), freedom) if freedom else (float("nan"), 0)


def blocked_sd(groups: Sequence[pd.Series]) -> tuple[float, int]:
    """Return the standard deviation within groups less what a seed does to all of them.

    Seeds that some group lacks do not count; empty groups are left out.

    Example:
        >>> blocked_sd([pd.Series({0: 70.0, 1: 80.0}), pd.Series({0: 71.0, 1: 83.0})])
        (1.0, 1)
    """
    table = pd.concat([group for group in groups if len(group)], axis=1).dropna()
    seeds, arms = table.shape
    if seeds < 2 or arms < 2:
        return float("nan"), 0
    values = table.to_numpy(float)
    rest = values - values.mean(0) - values.mean(1, keepdims=True) + values.mean()
    freedom = (seeds - 1) * (arms - 1)
    return float(np.sqrt((rest**2).sum() / freedom)), freedom


def seeds_difference(
    first: Sequence[float] | pd.Series, second: Sequence[float] | pd.Series
) -> dict[str, float]:
    """Return the difference of the means of two arms over seeds alone, with its 95 % t interval.

    For what has no words, such as a share of frames.

    Args:
        first: Values of the reference's runs, in percent.
        second: Values of the other arm's runs.

    Returns:
        ``points``, ``low`` and ``high``; the latter two are NaN where no arm has two runs.

    Example:
        >>> seeds_difference([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])["points"]
        3.0
    """
    points = float(np.mean(second) - np.mean(first))
    spread, freedom = pooled_sd([first, second])
    half = float("nan")
    if freedom:
        error = spread * np.sqrt(1 / len(first) + 1 / len(second))
        half = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * error)
    return {"points": points, "low": points - half, "high": points + half}


def dunnett_critical(reference: int, arms: tuple[int, ...], df: float = np.inf) -> float:
    """Return the critical value of Dunnett's test, two-sided at 95 %, in standard errors.

    Args:
        reference: Runs of the reference.
        arms: Runs of each arm. The degrees of freedom are those of all these runs, whatever share
            of the standard error test words have.
        df: Where these are none: the degrees of freedom of the t quantile, with Bonferroni's
            correction, that is taken then.
    """
    freedom = reference + sum(arms) - len(arms) - 1
    if freedom < 1:
        return float(stats.t.ppf(1 - (1 - LEVEL) / 2 / len(arms), df))
    return _dunnett(reference, arms)


@lru_cache
def _dunnett(reference: int, arms: tuple[int, ...]) -> float:
    # the multiplier depends on the numbers of runs alone, so any samples of these sizes will do
    control, *samples = (
        np.linspace(-1.0, 1.0, k) if k > 1 else np.zeros(1) for k in (reference, *arms)
    )
    for seed in range(20):  # scipy warns where its random integration did not converge
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = stats.dunnett(*samples, control=control, rng=np.random.default_rng(seed))
            interval = found.confidence_interval(LEVEL)
        if not caught:
            break
    spread, _ = pooled_sd([control, *samples])
    error = spread * np.sqrt(1 / reference + 1 / arms[0])
    return float((interval.high[0] - interval.low[0]) / 2 / error)


def check_comparable(frame: pd.DataFrame, arms: Sequence[str], sets: Sequence[str]) -> bool:
    """Refuse to compare runs with different samples or a different number of steps.

    Test sets may differ from seed to seed, as those that are drawn do, but not within a seed.

    Returns:
        Whether test sets differ from seed to seed.

    Raises:
        ValueError: With the set and two runs that differ.
    """
    rows = pd.concat([rows_of(frame, arm, sets) for arm in arms])
    apart = bool((rows.groupby(["arm", "set"]).samples.nunique() > 1).any())
    for what in ("samples", "drawn_from", "protocol", "steps"):
        of_seed = apart and what in ("samples", "drawn_from")
        known = rows.dropna(subset=[what])  # the first records do not say all of these
        for _, group in known.groupby(["set", "seed"] if of_seed else ["set"]):
            if group[what].nunique() > 1:
                first = group.iloc[0]
                other = group[group[what] != first[what]].iloc[0]
                raise ValueError(
                    f"{first.set}: {first.arm} (seed {first.seed}) and {other.arm} (seed "
                    f"{other.seed}) differ in {what}; run those of an old configuration again"
                )
    return apart


def _words(
    frame: pd.DataFrame,
    registry: Registry,
    arms: tuple[str, str],
    sets: Sequence[str],
    groups: Sequence[Sequence[int]],
) -> tuple[float, int]:
    """Return the variance of the difference over words, in squared points, and how many they are.

    ``arms`` are the reference and the other arm, ``groups`` seeds scored on the same samples.
    """
    variance, words = 0.0, 0
    rows = [rows_of(frame, arm, sets) for arm in arms]
    for name, seeds in itertools.product(sets, groups):
        chosen = [of[(of.set == name) & of.seed.isin(list(seeds))].itertuples() for of in rows]
        rates = [np.mean([registry.read_hits(row) for row in of], axis=0) for of in chosen]
        gain = 100 * (rates[1] - rates[0])
        variance += gain.var() / len(gain) / (len(sets) * len(groups)) ** 2
        words += len(gain)
    return float(variance), words


def _combined(first: float, df_first: int, second: float, df_second: int) -> tuple[float, float]:
    """Return the standard error of a sum and its degrees of freedom after Satterthwaite."""
    total = first + second
    if not total:
        return 0.0, 1.0
    parts = ((first, df_first), (second, df_second))
    spread = sum(value**2 / df for value, df in parts if value and df > 0)
    return float(np.sqrt(total)), total**2 / spread if spread else 1.0


def difference_cell(row: Mapping[str, float] | pd.Series, prefix: str = "") -> str:
    """Return a difference and its interval as tables show it; only before the interval may it wrap.

    Args:
        row: ``points``, ``low`` and ``high``; the latter two are NaN where there is no interval.
        prefix: What stands before these names.

    Example:
        >>> difference_cell({"points": 0.94, "low": 0.31, "high": 1.57})
        '+0.94 [+0.31,+1.57]'
    """
    points, low, high = (row[prefix + name] for name in ("points", "low", "high"))
    return f"{points:+.2f}" + ("" if np.isnan(low) else f" [{low:+.2f},{high:+.2f}]")


def p_cell(p: float) -> str:
    """Return a p with three decimals, or as a limit below them.

    Example:
        >>> p_cell(0.0125), p_cell(0.0004), p_cell(float("nan"))
        ('0.013', '<.001', '')
    """
    if np.isnan(p):
        return ""
    return f"{p:.3f}" if p >= 0.001 else "<.001"
