"""Statistics of paired comparisons: two arms, scored on the same samples, over training seeds.

Accuracies differ from seed to seed and from sample to sample, and the test set is the same for all
seeds. McNemar's test therefore stands here per seed only: pooled over seeds it takes the same
samples, read by seeds that differ, for independent ones, and finds differences where none are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dctc.results.power import detectable_over_samples, detectable_over_seeds
from dctc.results.significance import LEVEL, NO_TEST, paired_t

Z95 = 1.959964  # 97.5 % quantile of the standard normal distribution

RESAMPLES = 10_000
_CHUNK = 500  # resamples at a time, for memory


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


@dataclass(frozen=True)
class Comparison:
    """What a table says of two arms. Differences are b minus a, in percentage points.

    Attributes:
        points: Difference of the accuracies, mean over seeds.
        low: Lower end of its 95 % bootstrap interval, see :func:`bootstrap_interval`.
        high: Upper end.
        p: Of the paired t-test over seeds, two-sided: other seeds on this test set; it says nothing
            of other samples. None where it is unknown: with one seed, which says nothing of other
            seeds, and where the differences of the seeds have no spread.
        t_low: Lower end of the 95 % interval of that test; None where p is.
        t_high: Upper end.
        detectable: Least true difference that such a comparison finds with a probability of 80 %
            (:mod:`dctc.results.power`): by the t-test, with one seed by McNemar's, which allows
            for samples only. Nan where it is unknown.
        seeds: Number of seeds.
        n: Samples in the test set.
    """

    points: float
    low: float
    high: float
    p: float | None
    t_low: float | None
    t_high: float | None
    detectable: float
    seeds: int
    n: int


def compare(a: np.ndarray, b: np.ndarray, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare two arms over seeds.

    Args:
        a: ``(seeds, n)`` bool, hits of the first arm.
        b: ``(seeds, n)`` bool, hits of the second: the same seeds and samples in the same order.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ValueError: If the hits are not such arrays of one shape, or are empty.
    """
    gain = _gain(a, b)
    seeds, n = gain.shape
    per_seed = 100.0 * gain.sum(1) / n
    low, high = bootstrap_interval(a, b, resamples, seed)
    test, detectable = NO_TEST, detectable_over_samples(a[0], b[0])
    if seeds > 1:
        test, detectable = paired_t(per_seed), detectable_over_seeds(per_seed)
    return Comparison(
        points=float(per_seed.mean()),
        low=low,
        high=high,
        p=test.p,
        t_low=test.low,
        t_high=test.high,
        detectable=detectable,
        seeds=seeds,
        n=n,
    )


def bootstrap_interval(
    a: np.ndarray, b: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the mean difference, in percentage points.

    Two levels: seeds are drawn with replacement, then samples; the samples drawn are the same for
    both arms and, because all seeds share one test set, for all seeds (the pigeonhole bootstrap:
    Owen, Annals of Applied Statistics 2007). Drawn apart for each seed they would average out what
    an arm always gains or loses on a sample, and the interval would be too narrow. One seed leaves
    the level of samples alone.

    It errs to both sides. Where most of the chance is luck of the single reading it is too wide,
    as that luck counts on both levels: it covers .98 to 1.00 of the simulated truths. Where seeds
    differ by more than that it is too narrow with few of them, as the variance over seeds comes out
    as (seeds - 1) / seeds of itself, and percentiles know no t distribution: .70 to .80 with three
    seeds and 8,000 samples, about .82 with five, .88 with eight. There the t-test's interval covers
    .95; it does not allow for other samples, of which an arm may always gain on some, and then is
    the one that is too narrow. The tests hold these simulations.

    Args:
        a: ``(seeds, n)`` bool, hits of the first arm.
        b: ``(seeds, n)`` bool, hits of the second.
        resamples: How many.
        seed: Of the draws.

    Raises:
        ValueError: As :func:`compare`.
    """
    return interval_of_mean([(a, b)], resamples, seed)


def interval_of_mean(
    sets: Sequence[tuple[np.ndarray, np.ndarray]], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the same interval for the mean of the differences on several test sets.

    Every set counts the same, however many samples it has. A drawn seed stands for all its sets,
    whose differences rise and fall together; samples are drawn within each set.

    Args:
        sets: ``(seeds, n)`` bool hits of the first and of the second arm on each set; the seeds
            are the same ones in the same order, n is the set's own.
        resamples: How many.
        seed: Of the draws.

    Raises:
        ValueError: As :func:`compare`.
    """
    gains = [_gain(a, b) for a, b in sets]
    seeds = len(gains[0])
    # samples with the same gains in all seeds are exchangeable: how often each kind is drawn is
    # multinomial, so the work depends on the number of kinds and not on n
    kinds = [np.unique(gain, axis=1, return_counts=True) for gain in gains]  # (seeds, k), (k,)
    rng = np.random.default_rng(seed)
    means = []
    for first in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - first)
        drawn_seeds = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size)  # (size, seeds)
        of_sets = []
        for gain, (of_kind, counts) in zip(gains, kinds, strict=True):
            n = gain.shape[1]
            drawn_kinds = rng.multinomial(n, counts / n, size)  # (size, k)
            of_sets.append(((drawn_seeds @ of_kind) * drawn_kinds).sum(1) / (seeds * n))
        means.append(np.mean(of_sets, axis=0))
    tail = 100.0 * (1.0 - LEVEL) / 2.0
    low, high = np.percentile(100.0 * np.concatenate(means), [tail, 100.0 - tail])
    return float(low), float(high)


def _gain(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``(seeds, n)`` int64: 1 where b alone hits, -1 where a alone does."""
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise ValueError(f"hits of shapes {a.shape} and {b.shape}: two equal (seeds, n) are needed")
    return b.astype(np.int64) - a.astype(np.int64)
