"""Pooled differences against least squares, random effects against brute force."""

import itertools

import numpy as np
import pandas as pd
import pytest
from experiments.tables.families import pooled_difference, random_effects
from scipy import stats

ARMS = ("ctc", "other", "dctc")


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    rows = itertools.product("bca", ARMS, (200, 201, 202, 203))
    found = [dict(zip(("family", "arm", "block"), row, strict=True)) for row in rows]
    return pd.DataFrame(found).assign(value=rng.normal(70, 3, len(found)))


@pytest.mark.parametrize(("blocked", "freedom"), [(True, 18), (False, 27)])
def test_the_pooled_difference_is_that_of_least_squares(values, blocked, freedom):
    pairs = [values.family + values.arm, *([values.family + values.block.astype(str)] * blocked)]
    design = np.hstack([pd.get_dummies(pair).to_numpy(float) for pair in pairs])
    inverse = np.linalg.pinv(design.T @ design)
    weights = inverse @ design.T @ values.value
    contrast = np.zeros(design.shape[1])
    for place, name in enumerate(sorted({*pairs[0]})):
        contrast[place] = (name.endswith("dctc") - (name[1:] == "ctc")) / 3
    rest = ((values.value - design @ weights) ** 2).sum() / (36 - np.linalg.matrix_rank(design))
    error = np.sqrt(rest * contrast @ inverse @ contrast)
    found, families = pooled_difference(values, "dctc", "ctc", blocked)
    assert found.freedom == freedom == 36 - np.linalg.matrix_rank(design)
    half = stats.t.ppf(0.975, freedom) * error
    expected = [contrast @ weights, contrast @ weights - half, contrast @ weights + half]
    assert found[:3] == pytest.approx(expected)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(expected[0] / error), freedom))
    assert list(families) == ["b", "c", "a"]
    assert families["a"].error == pytest.approx(error * np.sqrt(3))


@pytest.mark.parametrize("lost", [slice(1), slice(4)])
def test_a_family_that_lacks_something_is_refused(values, lost):
    with pytest.raises(ValueError, match="a family lacks an arm or a block"):
        pooled_difference(values.drop(values.index[lost]), "dctc", "ctc", blocked=True)


@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0])
def test_random_effects_are_those_of_brute_force(spread):
    rng = np.random.default_rng(3)
    errors = rng.uniform(0.1, 0.4, 6)
    effects = rng.normal(0.5, np.sqrt(spread**2 + errors**2))
    ones, y = np.ones((6, 1)), effects[:, None]

    def likelihood(tau):
        """Restricted log-likelihood, as Patterson and Thompson (1971) write it."""
        v = np.diag(errors**2 + tau**2)
        vi = np.linalg.inv(v)
        information = ones.T @ vi @ ones
        p = vi - vi @ ones @ np.linalg.inv(information) @ ones.T @ vi
        logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
        return -0.5 * (logs + (y.T @ p @ y).item())

    grid = np.linspace(0, 3, 30001)
    tau = grid[np.argmax([likelihood(t) for t in grid])]
    w = 1 / (errors**2 + tau**2)
    mean = np.average(effects, weights=w)
    error = np.sqrt((w * (effects - mean) ** 2).sum() / 5 / w.sum())
    found = random_effects(effects, errors)
    assert found.tau == pytest.approx(tau, abs=2e-4)
    half = stats.t.ppf(0.975, 5) * error
    assert found.mean[:3] == pytest.approx((mean, mean - half, mean + half), abs=1e-3)
    half = stats.t.ppf(0.975, 4) * np.sqrt(tau**2 + error**2)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), abs=2e-3)
