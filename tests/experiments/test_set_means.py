"""The mean over sets: against sums by hand, a plain bootstrap, and data whose truth is known."""

import math

import numpy as np
import pytest
from experiments.tables.set_means import compare_mean
from scipy import stats

from dctc.results.statistics import bootstrap_interval, interval_of_mean


def draw(rng, seeds, n, accuracy, gain, seed_sd=0.0):
    """Return hits of two arms on a set: words are hard or easy for both."""
    hardness = rng.normal(0.0, 1.0, n)
    arms = []
    for shift in (0.0, gain):
        luck = rng.normal(0.0, seed_sd, (seeds, 1)) + rng.normal(0.0, 1.0, (seeds, n))
        arms.append(accuracy + shift + hardness + luck > 0.0)
    return tuple(arms)


def test_each_set_counts_the_same():
    small = np.zeros((2, 4), bool), np.array([[1, 0, 0, 0], [1, 1, 0, 0]], bool)
    large = np.ones((2, 20), bool), np.ones((2, 20), bool)
    large[1][0, :5] = False
    compared = compare_mean([small, large])
    # seed 0: +25 and -25; seed 1: +50 and 0
    assert compared.points == pytest.approx((0.0 + 25.0) / 2)
    assert compared.p == pytest.approx(stats.ttest_1samp([0.0, 25.0], 0.0).pvalue)
    assert (compared.seeds, compared.n) == (2, 24)
    assert compared.low < compared.points < compared.high < compared.t_high


def test_one_set_is_the_comparison_of_that_set():
    pair = draw(np.random.default_rng(0), 3, 200, 0.2, 0.3)
    assert interval_of_mean([pair], 700) == bootstrap_interval(*pair, 700)


def test_agrees_with_a_bootstrap_of_drawn_indices():
    rng = np.random.default_rng(1)
    sets = [draw(rng, 4, n, 0.3, gain, 0.2) for n, gain in ((300, 0.3), (80, 0.0), (40, 0.6))]
    means = []
    for _ in range(3000):
        seeds = rng.integers(0, 4, 4)
        of_sets = []
        for a, b in sets:
            words = rng.integers(0, a.shape[1], a.shape[1])
            of_sets.append(b[seeds][:, words].mean() - a[seeds][:, words].mean())
        means.append(100 * np.mean(of_sets))
    expected = np.percentile(means, [2.5, 97.5])
    width = expected[1] - expected[0]
    assert interval_of_mean(sets, 3000) == pytest.approx(expected, abs=0.08 * width)


def test_the_interval_covers_the_true_mean():
    trials, covered = 120, 0
    sizes, gains = (200, 60, 120), (0.5, 0.0, -0.2)
    sd = math.sqrt(2.0 + 0.1**2)
    true = 100 * np.mean([stats.norm.cdf((0.3 + g) / sd) - stats.norm.cdf(0.3 / sd) for g in gains])
    rng = np.random.default_rng(2)
    for trial in range(trials):
        sets = [draw(rng, 5, n, 0.3, g, 0.1) for n, g in zip(sizes, gains, strict=True)]
        low, high = interval_of_mean(sets, 200, seed=trial)
        covered += low <= true <= high
    assert covered / trials >= 0.9


def test_one_seed_has_an_interval_but_no_test():
    compared = compare_mean([draw(np.random.default_rng(0), 1, 50, 0.0, 0.5) for _ in range(2)])
    assert compared.p is None and math.isnan(compared.detectable)
    assert compared.low < compared.points < compared.high


def test_sets_whose_arms_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="two equal"):
        compare_mean([(np.zeros((2, 3), bool), np.zeros((2, 4), bool))])
