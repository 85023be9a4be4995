"""The paired difference by hand and against the bootstrap."""

import math

import numpy as np
import pytest

from dctc.reporting.statistics import Z95, paired_difference


def hits(both, only_a, only_b, neither):
    a = [True] * both + [True] * only_a + [False] * only_b + [False] * neither
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    return np.array(a), np.array(b)


def test_by_hand():
    difference = paired_difference(*hits(both=50, only_a=10, only_b=20, neither=20))
    assert difference.points == pytest.approx(10.0)
    # of 100 gains, 20 are +1 and 10 are -1: variance 0.3 - 0.1**2
    assert difference.half_width == pytest.approx(100 * 1.959964 * math.sqrt(0.29 / 100))


def test_agrees_with_the_bootstrap():
    a, b = hits(both=700, only_a=40, only_b=80, neither=180)
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 1000, (4000, 1000))
    differences = 100 * (b[samples].mean(1) - a[samples].mean(1))
    low, high = np.percentile(differences, [2.5, 97.5])
    difference = paired_difference(a, b)
    assert difference.points == pytest.approx(4.0)
    assert difference.half_width == pytest.approx((high - low) / 2, rel=0.05)


def test_is_symmetric():
    a, b = hits(both=5, only_a=3, only_b=9, neither=2)
    forth, back = paired_difference(a, b), paired_difference(b, a)
    assert forth.points == -back.points
    assert forth.half_width == back.half_width


def test_only_the_samples_read_unlike_count_as_in_mcnemar():
    """The width depends on how many were read alike, not on whether right or wrong."""
    easy = paired_difference(*hits(both=85, only_a=5, only_b=10, neither=0))
    hard = paired_difference(*hits(both=0, only_a=5, only_b=10, neither=85))
    assert easy == pytest.approx(hard)
    # McNemar's variance is that without the square of the mean; small differences, same thing
    mcnemar = 100 * Z95 * math.sqrt(5 + 10) / 100
    assert easy.half_width == pytest.approx(mcnemar, rel=0.02)


def test_the_order_of_the_samples_does_not_matter_but_the_pairing_does():
    a, b = hits(both=50, only_a=10, only_b=20, neither=20)
    order = np.random.default_rng(0).permutation(100)
    assert paired_difference(a[order], b[order]) == pytest.approx(paired_difference(a, b))
    unpaired = paired_difference(a[order], b)
    assert unpaired.half_width > 1.1 * paired_difference(a, b).half_width


def test_equal_readers():
    difference = paired_difference(*hits(3, 0, 0, 2))
    assert difference == (0.0, 0.0)
    assert [type(value) for value in difference] == [float, float]


@pytest.mark.parametrize(("n", "m"), [(3, 4), (0, 0), (0, 2)])
def test_samples_that_cannot_be_paired(n, m):
    with pytest.raises(ValueError, match=f"hits of {n} and of {m} samples cannot be paired"):
        paired_difference(np.zeros(n, bool), np.zeros(m, bool))
