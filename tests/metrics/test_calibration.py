"""Calibration against loops and all orders of equal confidences."""

import itertools

import numpy as np
import pytest

from dctc.metrics.calibration import area_under_risk_coverage, expected_calibration_error


def test_the_calibration_error_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    p, hits = np.append(rng.random(200), [0.0, 1.0, 0.2]), rng.random(203) < 0.5
    expected = 0.0
    for low in range(10):
        inside = ((p > low / 10) | (low == 0)) & (p <= (low + 1) / 10)
        if inside.any():
            expected += inside.sum() / len(p) * abs(hits[inside].mean() - p[inside].mean())
    assert expected_calibration_error(p, hits, bins=10) == pytest.approx(expected)


def test_equal_confidences_count_as_in_random_order():
    p, hits = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([0, 1, 0, 1, 1])
    orders = []
    for middle in itertools.permutations([1, 2, 3]):
        wrong = 1 - hits[[0, *middle, 4]]
        orders.append(np.mean([wrong[:k].mean() for k in range(1, 6)]))
    assert area_under_risk_coverage(p, hits) == pytest.approx(np.mean(orders))
    assert area_under_risk_coverage(np.log(p), hits) == pytest.approx(np.mean(orders))
