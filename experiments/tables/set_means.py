"""The mean over several test sets: a comparison in which every set counts the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.results.power import detectable_over_seeds
from dctc.results.significance import NO_TEST, paired_t
from dctc.results.statistics import RESAMPLES, Comparison, interval_of_mean

Pair = tuple[np.ndarray, np.ndarray]  # hits of two arms on one set, (seeds, n) each


def compare_mean(sets: Sequence[Pair], resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """Compare the means over sets of two arms' accuracies.

    With one seed there is neither a test nor a detectable difference (nan): McNemar's test knows
    one set of samples only.

    Args:
        sets: ``(seeds, n)`` bool hits of the first and of the second arm on each set; the seeds
            are the same ones in the same order, n is the set's own.
        resamples: Of the bootstrap, see :func:`dctc.results.statistics.interval_of_mean`.
        seed: Of the bootstrap.

    Raises:
        ValueError: If the hits of a set are not such arrays of one shape, or are empty.
    """
    low, high = interval_of_mean(sets, resamples, seed)
    of_sets = [100.0 * (b.mean(1) - a.mean(1)) for a, b in sets]  # (seeds,) each
    per_seed = np.mean(of_sets, axis=0)
    test, detectable = NO_TEST, float("nan")
    if len(per_seed) > 1:
        test, detectable = paired_t(per_seed), detectable_over_seeds(per_seed)
    return Comparison(
        points=float(per_seed.mean()),
        low=low,
        high=high,
        p=test.p,
        t_low=test.low,
        t_high=test.high,
        detectable=detectable,
        seeds=len(per_seed),
        n=sum(a.shape[1] for a, _ in sets),
    )
