"""Differences with their intervals: by hand, against scipy, and on data whose truth is known."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dctc.results.statistics import (
    COLUMNS,
    check_comparable,
    compare,
    difference_cell,
    dunnett_critical,
    pooled_sd,
    seeds_difference,
)


class Hits(dict):
    """In the place of a registry: hits by (arm, seed, set)."""

    def read_hits(self, row):
        return self[row.arm, row.seed, row.set]


def results(hits, of_seed="same", **columns):
    """Return a frame and its hits.

    Args:
        hits: By arm, or by (arm, set), those of each seed.
        of_seed: Hash of the samples, to which ``{}`` adds the seed.
        **columns: Values by (arm, seed), where they are not those of all runs.
    """
    rows, found = [], Hits()
    for key, runs in hits.items():
        arm, name = key if isinstance(key, tuple) else (key, "set")
        for seed, of_run in enumerate(runs):
            found[arm, seed, name] = of_run = np.asarray(of_run, bool)
            own = {
                "samples": of_seed.format(seed),
                "drawn_from": None,
                "protocol": "p",
                "steps": 10,
            }
            own |= {column: of.get((arm, seed), own[column]) for column, of in columns.items()}
            accuracy = 100 * of_run.mean()
            counts = {"accuracy": accuracy, "ned": 50 + accuracy / 2}
            rows.append({"arm": arm, "seed": seed, "set": name, **counts, **own})
    return pd.DataFrame(rows), found


def drawn(rng, rate, runs=3, words=200):
    return rng.random((runs, words)) < rate


def accuracies(runs):
    return 100 * np.mean(runs, axis=1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_where_words_add_nothing_it_is_the_t_test():
    # of three runs, one reads each word with CTC, and two with the other loss
    part = np.repeat([0, 1, 2], [50, 30, 20])
    ctc = [part == i for i in range(3)]
    other = [part != i for i in (2, 1, 0)]
    frame, hits = results({"ctc": ctc, "other": other})
    row = compare(frame, hits, "ctc", ["other"], ["set"]).loc["other"]
    found = stats.ttest_ind(accuracies(other), accuracies(ctc))
    interval = found.confidence_interval()
    assert (row.low, row.high, row.p) == pytest.approx((*interval, found.pvalue))
    assert (row.runs, row.reference_runs, row.n) == (3, 3, 100)
    assert (row.points, row.reference_value) == pytest.approx((100 / 3, 100 / 3))
    alone = seeds_difference(accuracies(ctc), accuracies(other))
    assert alone == pytest.approx({"points": row.points, "low": row.low, "high": row.high})


def test_single_runs_allow_for_words_only(rng):
    ctc, other = drawn(rng, 0.5, 1), drawn(rng, 0.6, 1)
    frame, hits = results({"ctc": ctc, "other": other})
    row = compare(frame, hits, "ctc", ["other"], ["set"]).loc["other"]
    found = stats.ttest_rel(100 * other[0], 100 * ctc[0])
    # numpy's variance divides by n, scipy's by n - 1
    assert (row.low, row.high) == pytest.approx([*found.confidence_interval()], rel=0.01)
    assert row.p == pytest.approx(found.pvalue, rel=0.05)
    ned = compare(frame, hits, "ctc", ["other"], ["set"], "ned").loc["other"]
    assert ned.points == pytest.approx(row.points / 2)
    assert np.isnan([ned.low, ned.high, ned.p]).all()
    assert difference_cell(ned) == f"{ned.points:+.2f}"


def test_seeds_and_words_together_after_satterthwaite(rng):
    runs = {"ctc": drawn(rng, 0.5, 4), "other": drawn(rng, 0.6), "third": drawn(rng, 0.9)}
    frame, hits = results(runs)
    row = compare(frame, hits, "ctc", ["other"], ["set"], pool=["third"]).loc["other"]
    squares = sum(((a - a.mean()) ** 2).sum() for a in map(accuracies, runs.values()))
    of_seeds = squares / 7 * (1 / 4 + 1 / 3)
    gain = 100 * (runs["other"].mean(0) - runs["ctc"].mean(0))
    of_words = gain.var() / 200
    df = (of_seeds + of_words) ** 2 / (of_seeds**2 / 7 + of_words**2 / 199)
    half = stats.t.ppf(0.975, df) * math.sqrt(of_seeds + of_words)
    assert (row.points - row.low, row.high - row.points) == pytest.approx((half, half))
    assert row.p == pytest.approx(2 * stats.t.sf(row.points / half * stats.t.ppf(0.975, df), df))
    # NED is known of whole runs alone
    ned = compare(frame, hits, "ctc", ["other"], ["set"], "ned", ["third"]).loc["other"]
    half = stats.t.ppf(0.975, 7) * math.sqrt(of_seeds) / 2
    assert (ned.low, ned.high) == pytest.approx((ned.points - half, ned.points + half))


def test_the_spread_of_lucky_seeds_never_makes_an_interval_narrower_than_words_allow(rng):
    # runs of an arm agree to the word, or in their accuracy
    one, other = drawn(rng, 0.5, 1)[0], drawn(rng, 0.6, 1)[0]
    lucky = {"agree": [other] * 3, "accuracy": [np.roll(other, i) for i in range(3)]}
    frame, hits = results({"ctc": [one] * 3, **lucky})
    for arms in (["agree"], ["accuracy"], [*lucky]):
        for arm, row in compare(frame, hits, "ctc", arms, ["set"]).iterrows():
            gain = 100.0 * (np.mean(lucky[arm], axis=0) - one)
            words = 1.959964 * gain.std() / math.sqrt(len(gain))
            assert row.high - row.points >= words > 4 and row.points - row.low >= words


@pytest.mark.parametrize(
    ("reference", "arms", "expected"),
    # Dunnett 1955; quadrature over the reference's mean and the spread; Student
    [
        (4, (4,) * 3, 2.68),
        (5, (5, 5), 2.50),
        (5, (3,) * 3, 2.791),
        (8, (3,) * 5, 2.841),
        (9, (9,), 2.12),
    ],
)
def test_simultaneous_intervals_are_dunnetts(rng, reference, arms, expected):
    times = dunnett_critical(reference, arms)
    assert times == pytest.approx(expected, abs=0.01)
    control, *samples = (rng.normal(size=k) for k in (reference, *arms))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scipy's random integration
        interval = stats.dunnett(*samples, control=control, rng=rng).confidence_interval()
    spread, _ = pooled_sd([control, *samples])
    errors = [spread * math.sqrt(1 / reference + 1 / k) for k in arms]
    assert times == pytest.approx((interval.high - interval.low) / 2 / errors, rel=0.02)


def test_single_runs_of_several_arms_are_bonferronis():
    assert dunnett_critical(1, (1, 1)) == pytest.approx(stats.norm.ppf(1 - 0.025 / 2))


def test_single_runs_of_several_arms_share_the_spread_of_an_arm_with_two(rng):
    runs = {"ctc": drawn(rng, 0.5, 1), "a": drawn(rng, 0.6, 1), "b": drawn(rng, 0.7, 1)}
    runs["twice"] = [np.r_[np.zeros(100), np.ones(100)], np.ones(200)]
    frame, hits = results(runs)
    alone = compare(frame, hits, "ctc", ["a"], ["set"], pool=["b", "twice"]).loc["a"]
    both = compare(frame, hits, "ctc", ["a", "b"], ["set"], pool=["twice"]).loc["a"]
    assert both.high - both.low == pytest.approx(2 * (alone.high - alone.low), rel=0.03)  # 1 df


def test_several_arms_share_their_spread_and_have_no_p(rng):
    runs = {name: drawn(rng, 0.5) for name in ("ctc", "a", "b")}
    frame, hits = results(runs)
    both = compare(frame, hits, "ctc", ["a", "none", "b"], ["set"])
    assert list(both.index) == ["a", "b"] and list(both.columns) == list(COLUMNS)
    assert both.p.isna().all()
    alone = compare(frame, hits, "ctc", ["a"], ["set"], pool=["b"]).loc["a"]
    assert both.points["a"] == alone.points and both.high["a"] > alone.high
    for reference, arms in (("none", ["a"]), ("ctc", ["none"])):
        assert compare(frame, hits, reference, arms, ["set"]).empty


def test_on_several_sets_their_mean_counts(rng):
    sizes = {"one": 100, "two": 400}
    hits = {(arm, s): drawn(rng, 0.5, 1, n) for arm in ("ctc", "a") for s, n in sizes.items()}
    hits["a", "two"] = np.concatenate([hits["a", "two"], drawn(rng, 0.5, 1, 400)])  # not on one
    frame, found = results(hits)
    row = compare(frame, found, "ctc", ["a"], [*sizes]).loc["a"]
    gains = [100.0 * hits["a", s][0] - 100.0 * hits["ctc", s][0] for s in sizes]
    assert (row.runs, row.n) == (1, 500)
    assert row.points == pytest.approx(np.mean([gain.mean() for gain in gains]))
    error = math.sqrt(sum(gain.var() / len(gain) for gain in gains)) / 2
    assert row.high - row.points == pytest.approx(stats.t.ppf(0.975, 499) * error)


def test_test_sets_that_differ_from_seed_to_seed_are_paired_within_a_seed(rng):
    ctc, other = drawn(rng, 0.5, 3), drawn(rng, 0.6, 4)
    frame, hits = results({"ctc": ctc, "other": other}, of_seed="of seed {}")
    row = compare(frame, hits, "ctc", ["other"], ["set"]).loc["other"]
    shared = other[:3]
    assert (row.runs, row.reference_runs, row.n) == (3, 3, 600)
    assert row.points == pytest.approx(accuracies(shared).mean() - accuracies(ctc).mean())
    gains = 100.0 * shared - 100.0 * ctc
    of_words = sum(gain.var() / 200 for gain in gains) / 9
    spread = (accuracies(shared) - accuracies(ctc)).std(ddof=1) / math.sqrt(2)
    error = math.sqrt(of_words + spread**2 * 2 / 3)
    assert 1.959 * error < row.high - row.points < stats.t.ppf(0.975, 2) * error
    # how hard the words of a seed are widens nothing
    ctc[1, :180], other[1, :180] = 0, 0
    harder, hits = results({"ctc": ctc, "other": other}, of_seed="of seed {}")
    again = compare(harder, hits, "ctc", ["other"], ["set"]).loc["other"]
    assert again.high - again.points < pooled_sd([accuracies(ctc)])[0]
    # without a seed of both there is nothing to compare
    lone = frame[(frame.arm == "ctc") | (frame.seed == 3)]
    assert compare(lone, hits, "ctc", ["other"], ["set"]).empty


@pytest.mark.parametrize("what", ["samples", "drawn_from", "protocol", "steps"])
def test_what_cannot_be_compared_is_refused(rng, what):
    hits = {"ctc": drawn(rng, 0.5), "other": drawn(rng, 0.5)}
    # the same for a whole arm: else test sets would be taken to differ by seed
    values = {(arm, seed): f"of {arm}" for arm in hits for seed in range(3)}
    frame, found = results(hits, **{what: values})
    with pytest.raises(ValueError, match=rf"set: ctc \(seed 0\) and other .* differ in {what};"):
        compare(frame, found, "ctc", ["other"], ["set"])
    unknown = {key: None for key in values if key[0] == "ctc"}
    if what != "samples":  # the first records do not say all of these
        frame, _ = results(hits, **{what: values | unknown})
        check_comparable(frame, ["ctc", "other"], ["set"])


TRIALS = 300  # the standard error of a coverage of .95 is .013


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"seed_sd": 0.0},
        {"runs": (8, 8)},
        {"runs": (5, 3, 3, 3), "seed_sd": 0.15},
        {"runs": (8, 8, 3, 3, 3), "gain_sd": 0.5},
        {"gain_sd": 1.0, "words": 200},
        {"runs": (1, 1), "seed_sd": 0.0},
        {"runs": (1, 1, 1), "seed_sd": 0.0},
    ],
    ids=str,
)
def test_coverage(settings):
    """Intervals of new seeds and new words hold the true difference in about 95 % of trials.

    Each trial draws words (hard or easy for all arms, sd 2), what an arm makes of each word
    (``gain_sd``), the luck of each run (``seed_sd``) and of each single reading (sd 1), all of a
    latent score whose sign is the hit. With several arms all intervals have to hold. Covered: 2 to
    5 arms of 1, 3, 5 or 8 runs on 200 or 1,000 words. Not covered: seeds whose spread differs from
    arm to arm, and the choice of a weight.
    """
    rng, covered = np.random.default_rng(1), 0
    for _ in range(TRIALS):
        hits, true = simulate(rng, **settings)
        frame, found = results(hits)
        table = compare(frame, found, "0", [*hits][1:], ["set"])
        covered += bool(((table.low <= true) & (true <= table.high)).all())
    assert 0.93 <= covered / TRIALS


def simulate(rng, runs=(3, 3), words=1000, shift=0.2, seed_sd=0.1, gain_sd=0.25):
    """Return hits by arm, and the true difference of all arms to the first."""
    hardness, hits = rng.normal(0.0, 2.0, words), {}
    for i, k in enumerate(runs):
        score = 0.5 + shift * (i > 0) + hardness + rng.normal(0.0, gain_sd, words)
        score = score + rng.normal(0.0, seed_sd, (k, 1)) + rng.normal(0.0, 1.0, (k, words))
        hits[str(i)] = score > 0.0
    sd = math.sqrt(2.0**2 + gain_sd**2 + seed_sd**2 + 1.0)
    rates = stats.norm.cdf([0.5 / sd, (0.5 + shift) / sd])
    return hits, 100.0 * (rates[1] - rates[0])
