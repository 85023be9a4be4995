"""How p, intervals and differences stand in tables, and the notes that explain them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from dctc.results.power import detectable_over_seeds
from dctc.results.significance import NO_TEST, TTest, paired_t
from dctc.results.statistics import Comparison

UNKNOWN = "-"
UNCORRECTED = "‡"
DIFFERENCE = "difference ± t [bootstrap]"  # heading of the cells of difference_cell
DIFFERENCE_NOTE = (
    "Difference: points of accuracy, over the seeds that both have; after ± half the 95 % interval "
    "of the paired t-test over seeds, in brackets the 95 % interval of the paired two-level "
    "bootstrap over seeds and samples. With fewer than ten seeds read both."
)
FOUND = "with a probability of 80 %, at the 5 % level before correction"
_SPREAD = "It takes the spread over seeds that was observed, which few seeds leave uncertain."
DETECTABLE_NOTE = (
    f"Detectable: the least true difference, in points, that the t-test over seeds finds {FOUND}. "
    f"{_SPREAD}"
)
DETECTABLE_ONE_SEED_NOTE = (
    f"Detectable: the least true difference, in points, that McNemar's test of one seed finds "
    f"{FOUND}. It allows for samples only."
)


def p_cell(p: float | None, mark: str = "") -> str:
    """Return a p, as a limit below what three decimals show, and a mark after it.

    Example:
        >>> p_cell(0.0125), p_cell(0.0004), p_cell(None)
        ('0.013', '<.001', '-')
    """
    if p is None:
        return UNKNOWN
    return (f"{p:.3f}" if p >= 0.001 else "<.001") + mark


def interval_cell(value: float, low: float | None, high: float | None, sign: str = "") -> str:
    """Return a value and its interval; the value alone where there is no interval.

    Args:
        value: In percent or points.
        low: Lower end of the interval.
        high: Upper end.
        sign: ``+`` to show the sign of positive numbers too.

    Example:
        >>> interval_cell(0.5, -0.25, 1.25, "+")
        '+0.50 [-0.25, +1.25]'
    """
    if low is None or high is None:
        return f"{value:{sign}.2f}"
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def difference_cell(c: Comparison) -> str:
    """Return a difference, half the interval of its t-test if there is one, and the bootstrap's."""
    points, interval = interval_cell(c.points, c.low, c.high, "+").split(" ", 1)
    half = "" if c.t_high is None else f"± {c.t_high - c.points:.2f} "
    return f"{points} {half}{interval}"


def t_cell(mean: float, test: TTest) -> str:
    """Return a mean difference and half the interval of its t-test; alone where there is none.

    Example:
        >>> t_cell(0.5, TTest(p=0.1, low=-0.25, high=1.25))
        '+0.50 ± 0.75'
    """
    if test.low is None or test.high is None:
        return f"{mean:+.2f}"
    return f"{mean:+.2f} ± {(test.high - test.low) / 2:.2f}"


def gains_cell(gains: np.ndarray) -> str:
    """Return the mean of differences and half the interval of their t-test; of one, it alone.

    Args:
        gains: ``(seeds,)``.
    """
    return t_cell(float(gains.mean()), paired_t(gains) if len(gains) > 1 else NO_TEST)


def detectable_cell(points: float) -> str:
    """Return the least difference that is found; ``-`` of nan."""
    return UNKNOWN if math.isnan(points) else f"{points:.2f}"


def detectable_column_notes(*compared: Comparison) -> list[str]:
    """Explain a column of detectable differences: a note each test that is behind them."""
    several = [DETECTABLE_NOTE] if any(c.seeds > 1 for c in compared) else []
    return several + ([DETECTABLE_ONE_SEED_NOTE] if any(c.seeds == 1 for c in compared) else [])


def detectable_notes(compared: Mapping[str, Comparison]) -> list[str]:
    """Say which differences the comparisons of a table find: a note each test behind them.

    Args:
        compared: By title.
    """
    found: dict[bool, dict[str, float]] = {False: {}, True: {}}
    for title, c in compared.items():
        found[c.seeds == 1][title] = c.detectable
    tests = {
        False: ("the t-test over seeds", _SPREAD),
        True: ("McNemar's test of one seed", "It allows for samples only."),
    }
    return [_least(found[one], *tests[one]) for one in tests if found[one]]


def detectable_gains_note(gains: Mapping[str, np.ndarray]) -> str:
    """Say which differences the t-tests of a table find.

    Args:
        gains: ``(seeds,)`` differences in points, of two seeds or more, by title.
    """
    found = {title: detectable_over_seeds(of_seeds) for title, of_seeds in gains.items()}
    return _least(found, "the t-test over seeds", _SPREAD)


def _least(found: Mapping[str, float], test: str, more: str) -> str:
    listed = "; ".join(f"{title} {detectable_cell(points)}" for title, points in found.items())
    return f"Least true difference that {test} finds {FOUND}, in points: {listed}. {more}"
