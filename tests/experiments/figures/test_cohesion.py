"""Cohesion of synthetic points with known answers."""

import numpy as np
import pytest
from experiments.figures.cohesion import cohesion


def test_four_points_by_hand():
    """Two at x = 0 and two at x = 10, each pair 2 apart in y."""
    points = np.array([[0, -1], [0, 1], [10, -1], [10, 1]])
    found = cohesion(points, np.array([*"aabb"]), neighbours=1)
    far = (10 + np.sqrt(104)) / 2  # mean distance to the other two
    assert found.silhouette == pytest.approx((far - 2) / far)
    assert found.purity == 1.0
    assert found.within_between == pytest.approx(1 / 10)


def test_classes_laid_across_the_pairs():
    points = np.array([[0, -1], [0, 1], [10, -1], [10, 1]])
    found = cohesion(points, np.array([*"abab"]), neighbours=1)
    assert found.purity == 0.0  # the nearest of each is of the other class
    assert found.within_between == pytest.approx(5 / 2)
    assert found.silhouette < 0


def test_classes_that_mean_nothing():
    rng = np.random.default_rng(0)
    found = cohesion(rng.normal(size=(600, 3)), np.repeat([*"abc"], 200))
    assert found.purity == pytest.approx(1 / 3, abs=0.05)
    assert found.silhouette == pytest.approx(0, abs=0.05)


def test_scale_and_place_do_not_matter():
    rng = np.random.default_rng(1)
    points, classes = rng.normal(size=(40, 4)), np.repeat([*"ab"], 20)
    assert cohesion(7 * points + 3, classes) == pytest.approx(cohesion(points, classes))
