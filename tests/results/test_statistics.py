"""Paired comparisons: by hand, against scipy, and on data whose truth is known."""

import math
import time

import numpy as np
import pytest
from scipy import stats

from dctc.results.power import detectable_over_samples, detectable_over_seeds
from dctc.results.significance import mcnemar_p, paired_t
from dctc.results.statistics import Z95, bootstrap_interval, compare, paired_difference


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


def table(seeds, both, only_a, only_b, neither):
    """Hits of equal seeds."""
    a, b = hits(both, only_a, only_b, neither)
    return np.tile(a, (seeds, 1)), np.tile(b, (seeds, 1))


def simulate(rng, seeds=5, n=300, shift=0.0, seed_sd=0.1, gain_sd=0.0):
    """Draw hits of two arms; samples are hard or easy for both, and the true difference is known.

    A sample is hit if 0.5 + shift of the arm + hardness of the sample (sd 2) + what the arm makes
    of the sample (gain_sd) + luck of the seed (seed_sd) + luck of the reading (sd 1) is positive.
    """
    hardness = rng.normal(0.0, 2.0, n)
    arms = []
    for mean in (0.5, 0.5 + shift):
        score = mean + hardness + rng.normal(0.0, gain_sd, n) + rng.normal(0.0, seed_sd, (seeds, 1))
        arms.append(score + rng.normal(0.0, 1.0, (seeds, n)) > 0.0)
    sd = math.sqrt(2.0**2 + gain_sd**2 + seed_sd**2 + 1.0)
    true = 100.0 * (stats.norm.cdf((0.5 + shift) / sd) - stats.norm.cdf(0.5 / sd))
    return *arms, true


TRIALS = 200  # the standard error of a coverage of .95 is .016, of one of .75 it is .03
FORMS = {"seeds": 3, "n": 8000}  # about as many words as there are of forms


@pytest.mark.parametrize(
    ("settings", "least", "most", "t_least", "t_most"),
    [
        # one seed: the level of the samples alone
        ({"seeds": 1, "seed_sd": 0.0}, 0.90, 0.98, None, None),
        # luck of the single reading counts on both levels: too wide
        ({}, 0.97, 1.0, 0.91, 0.98),
        ({"shift": 0.4}, 0.96, 1.0, 0.91, 0.98),
        # an arm gains on some samples in all seeds: samples drawn apart for each seed would miss
        # it, and the t-test does, which knows seeds alone
        ({"shift": 0.3, "gain_sd": 1.5, "seeds": 10}, 0.91, 0.98, 0.5, 0.72),
        # seeds differ much more than samples: too narrow with few of them
        ({"seed_sd": 0.5}, 0.79, 0.90, 0.91, 0.98),
        ({**FORMS, "seed_sd": 0.5}, 0.66, 0.82, 0.91, 0.98),
        ({**FORMS, "seeds": 5, "seed_sd": 0.5}, 0.76, 0.88, 0.91, 0.98),
        ({**FORMS, "seeds": 8, "seed_sd": 0.5}, 0.84, 0.95, 0.91, 0.98),
    ],
)
def test_coverage_of_the_intervals(settings, least, most, t_least, t_most):
    """What the docstring of bootstrap_interval says of both."""
    rng = np.random.default_rng(0)
    covered = t_covered = 0
    for trial in range(TRIALS):
        a, b, true = simulate(rng, **settings)
        low, high = bootstrap_interval(a, b, resamples=300, seed=trial)
        covered += low <= true <= high
        if len(a) > 1:
            _, low, high = paired_t(100 * (b.mean(1) - a.mean(1)))
            t_covered += low <= true <= high
    assert least <= covered / TRIALS <= most
    assert t_least is None or t_least <= t_covered / TRIALS <= t_most


def test_false_positives_of_the_t_test_and_of_mcnemar_pooled_over_seeds():
    """Why McNemar's test is offered per seed only. Every rejection here is false."""
    rng = np.random.default_rng(0)
    rejected = {"t": 0, "one seed": 0, "pooled": 0}
    for _ in range(2 * TRIALS):
        a, b, _ = simulate(rng, seed_sd=0.25)
        rejected["t"] += paired_t(100 * (b.mean(1) - a.mean(1)))[0] < 0.05
        rejected["pooled"] += mcnemar_p(a.ravel(), b.ravel()) < 0.05
        a, b, _ = simulate(rng, seeds=1, seed_sd=0.0)
        rejected["one seed"] += mcnemar_p(a[0], b[0]) < 0.05
    rates = {name: count / (2 * TRIALS) for name, count in rejected.items()}
    assert 0.02 <= rates["t"] <= 0.09
    assert 0.01 <= rates["one seed"] <= 0.08  # the continuity correction makes it cautious
    assert rates["pooled"] >= 0.25


def test_one_seed_is_the_paired_bootstrap_of_scipy():
    a, b = table(1, both=150, only_a=20, only_b=40, neither=90)
    low, high = bootstrap_interval(a, b)
    peer = stats.bootstrap(
        (a[0].astype(float), b[0].astype(float)),
        lambda x, y, axis: (y - x).mean(axis),
        paired=True,
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    # ends lie on multiples of 1 / 300; both sides draw at random
    assert (low, high) == pytest.approx((100 * peer.low, 100 * peer.high), abs=0.4)


def test_the_bootstrap_is_that_of_drawn_indices():
    """The same draws, by indices instead of counts of kinds."""
    rng = np.random.default_rng(3)
    a, b, _ = simulate(rng, seeds=4, n=150, shift=0.5, seed_sd=0.3)
    means = []
    for _ in range(6000):
        seeds, samples = rng.integers(0, 4, 4), rng.integers(0, 150, 150)
        picked = np.ix_(seeds, samples)
        means.append(100 * (b[picked].mean() - a[picked].mean()))
    low, high = np.percentile(means, [2.5, 97.5])
    assert bootstrap_interval(a, b) == pytest.approx((low, high), abs=0.05 * (high - low))


def test_the_bootstrap_is_seeded_and_symmetric():
    a, b, _ = simulate(np.random.default_rng(0), shift=0.3)
    first = bootstrap_interval(a, b, 600, seed=1)
    assert first == bootstrap_interval(a, b, 600, seed=1) != bootstrap_interval(a, b, 600, seed=2)
    low, high = bootstrap_interval(b, a)
    assert bootstrap_interval(a, b) == pytest.approx((-high, -low), rel=0.1, abs=0.2)


def test_equal_seeds_have_the_variance_of_the_samples_alone():
    """Copies of one seed are no evidence beyond it."""
    counts = {"both": 150, "only_a": 20, "only_b": 40, "neither": 90}
    one, five = (bootstrap_interval(*table(seeds, **counts)) for seeds in (1, 5))
    assert five == pytest.approx(one, abs=0.4)


def test_a_comparison_says_all_that_a_table_wants():
    a, b, _ = simulate(np.random.default_rng(0), seeds=3, n=200, shift=0.4)
    result = compare(a, b, resamples=500, seed=4)
    differences = 100 * (b.mean(1) - a.mean(1))
    assert result.points == pytest.approx(differences.mean())
    assert (result.low, result.high) == bootstrap_interval(a, b, 500, 4)
    assert result.low < result.points < result.high
    assert (result.p, result.t_low, result.t_high) == pytest.approx(paired_t(differences))
    assert result.detectable == pytest.approx(detectable_over_seeds(differences))
    assert (result.seeds, result.n) == (3, 200)
    assert all(type(p) is float for p in [result.points, result.p])


def test_one_seed_says_nothing_about_others():
    a, b = table(1, both=150, only_a=20, only_b=40, neither=90)
    result = compare(a, b)
    assert (result.p, result.t_low, result.t_high) == (None, None, None)
    assert result.points == pytest.approx(100 * 20 / 300)
    assert result.detectable == detectable_over_samples(a[0], b[0])
    # that interval is the normal one of the single run, as far as samples are many
    normal = paired_difference(a[0], b[0])
    assert result.high - result.low == pytest.approx(2 * normal.half_width, rel=0.1)


def test_equal_arms():
    a, _ = table(3, both=5, only_a=2, only_b=0, neither=3)
    result = compare(a, a)
    assert (result.points, result.low, result.high) == (0.0, 0.0, 0.0)
    for equal in (result, compare(a[:1], a[:1])):
        assert (equal.p, equal.t_low, equal.t_high) == (None, None, None)
        assert math.isnan(equal.detectable)


def test_seeds_that_gain_alike_have_an_interval_but_no_test():
    result = compare(*table(3, both=150, only_a=20, only_b=40, neither=90))
    assert (result.p, result.t_low, result.t_high) == (None, None, None)
    assert math.isnan(result.detectable)
    assert result.low < result.points < result.high


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (3, 3)), ((2, 3), (2, 4)), ((3,), (3,)), ((0, 3), (0, 3)), ((2, 0),) * 2]
)
def test_hits_that_cannot_be_compared(a, b):
    with pytest.raises(ValueError, match=r"two equal \(seeds, n\) are needed"):
        compare(np.zeros(a, bool), np.zeros(b, bool))


def test_a_large_set_takes_no_time():
    rng = np.random.default_rng(0)
    a = rng.random((5, 60_000)) < 0.8
    b = a ^ (rng.random((5, 60_000)) < 0.05)
    began = time.perf_counter()
    low, high = bootstrap_interval(a, b)
    assert time.perf_counter() - began < 10
    assert low < 100 * (b.mean() - a.mean()) < high
