"""Minimum detectable differences: that they are found four times out of five."""

import math

import numpy as np
import pytest
from scipy import stats

from dctc.results.power import detectable_over_samples, detectable_over_seeds


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_the_difference_that_seeds_detect_has_80_percent_power(seeds):
    differences = np.linspace(-1.0, 2.0, seeds)
    sd = differences.std(ddof=1)
    shift = detectable_over_seeds(differences) / sd * math.sqrt(seeds)
    edge = stats.t.ppf(0.975, seeds - 1)
    power = stats.nct.sf(edge, seeds - 1, shift) + stats.nct.cdf(-edge, seeds - 1, shift)
    assert power == pytest.approx(0.8, abs=1e-4)


def test_the_difference_that_samples_detect_has_80_percent_power():
    a = np.repeat([True, True, False, False], [1500, 60, 60, 380])
    b = np.repeat([True, False, True, False], [1500, 60, 60, 380])
    points = detectable_over_samples(a, b)
    q, delta, n = 120 / 2000, points / 100, 2000
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n, [(q + delta) / 2, (q - delta) / 2, 1 - q], 20_000)
    z = (drawn[:, 0] - drawn[:, 1]) / np.sqrt(drawn[:, 0] + drawn[:, 1])
    assert np.mean(np.abs(z) > 1.959964) == pytest.approx(0.8, abs=0.01)
    # in percentage points, and by hand with z(.975) + z(.8) where differences are small
    assert points == pytest.approx(100 * 2.801586 * math.sqrt(q / n), rel=0.01)


@pytest.mark.parametrize("n", [4, 5, 50, 4000])
def test_the_root_solves_the_formula(n):
    a, b = np.zeros(n, bool), np.arange(n) % 4 == 0
    delta, q = detectable_over_samples(a, b) / 100, np.mean(b)
    right = 1.959964 * math.sqrt(q) + 0.841621 * math.sqrt(q - delta**2)
    assert delta * math.sqrt(n) == pytest.approx(right, rel=1e-6)


def test_equal_differences_and_equal_readers_do_not_say_what_is_found():
    assert math.isnan(detectable_over_seeds(np.full(3, 0.5)))
    a = np.arange(2000) % 3 == 0
    assert math.isnan(detectable_over_samples(a, a))


def test_three_samples_find_nothing():
    assert math.isnan(detectable_over_samples(np.zeros(3, bool), np.ones(3, bool)))
