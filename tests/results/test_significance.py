"""Tests of differences: by hand and against scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from dctc.results.significance import holm, mcnemar_p, paired_t


def hits(both, only_a, only_b, neither):
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


def test_the_paired_t_test_is_that_of_scipy():
    x, y = np.random.default_rng(0).normal([[70.0], [71.0]], 1.0, (2, 5))
    peer = stats.ttest_rel(y, x)
    low, high = peer.confidence_interval()
    assert paired_t(y - x) == pytest.approx((peer.pvalue, low, high))


def test_the_paired_t_test_by_hand():
    # mean 2, sd 1, three seeds: t = 2 sqrt(3), 97.5 % quantile with 2 degrees of freedom 4.302653
    p, low, high = paired_t(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    t = 2 * 3**0.5
    assert p == pytest.approx(1 - t / math.sqrt(2 + t * t))  # closed form for 2 degrees of freedom


@pytest.mark.parametrize("differences", [[0.0] * 4, [0.5] * 4, [0.3, 0.1 + 0.2], [-2.0] * 2])
def test_differences_without_spread_say_nothing(differences):
    """No p of 0 for few seeds that agree by chance, also where rounding alone tells them apart."""
    assert paired_t(np.array(differences)) == (None, None, None)


def test_little_spread_is_spread():
    # 1 of 100,000 samples, in points
    assert paired_t(np.array([1.0, 1.001])).p == pytest.approx(stats.ttest_1samp([1, 1.001], 0)[1])


def test_a_t_test_takes_two_seeds():
    with pytest.raises(ValueError, match="1 seed; it takes two at least"):
        paired_t(np.array([1.0]))


def test_mcnemar_is_exact_where_few_samples_are_discordant():
    binomial = stats.binomtest(4, 18).pvalue
    assert mcnemar_p(*hits(5, 4, 14, 3)) == pytest.approx(binomial)
    assert mcnemar_p(*hits(500, 4, 14, 300)) == pytest.approx(binomial)
    assert mcnemar_p(*hits(7, 0, 0, 3)) == 1.0
    corrected = stats.chi2.sf((abs(10 - 20) - 1) ** 2 / 30, 1)
    assert mcnemar_p(*hits(5, 10, 20, 3)) == pytest.approx(corrected)
    assert mcnemar_p(*hits(5, 12, 12, 0)) == pytest.approx(1.0)  # 24 are few
    assert mcnemar_p(*hits(5, 13, 12, 0)) == pytest.approx(stats.chi2.sf(0.0, 1))  # 25 are not


def test_holm_by_hand():
    # in ascending order times 4, 3, 2, 1, never falling, at most 1
    p = {"a": 0.03, "b": 0.005, "c": 0.9, "d": 0.02}
    assert holm(p) == pytest.approx({"a": 0.06, "b": 0.02, "c": 0.9, "d": 0.06})
    assert holm({"x": 0.04}) == {"x": 0.04}
    assert holm({}) == {}


def test_what_is_not_known_is_not_counted():
    assert holm({"a": None, "b": 0.02, "c": 0.5}) == pytest.approx({"b": 0.04, "c": 0.5})
    assert holm({"a": None}) == {}
