"""Two arms of a model: seeds in common, differences by hand, and what is refused."""

import numpy as np
import pytest
from experiments.tables.model_arms import ModelArm, common_seeds, contrasts, find_pairs

from dctc.results.registry import Registry
from dctc.results.statistics import compare

SIZES = {"A": 40, "B": 10}
MEANS, POOLED = {"mean": ("A", "B"), "all": ("A", "C")}, {"weighted": ("A", "B"), "none": ("C",)}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def score(registry, record):
    """``score(arm, seed, set, hits, **changes)`` puts a record into the registry."""

    def write(arm, seed, name, hits, **changes):
        stored = record(
            arm=f"t/{arm}",
            run=f"{arm}{seed}",
            seed=seed,
            set=name,
            n=len(hits),
            correct=int(np.sum(hits)),
            hits=registry.write_hits(hits),
            **{"samples": name, "about": {"steps": 10}, **changes},
        )
        registry.append(stored)
        return hits

    return write


@pytest.fixture
def scored(score):
    """Hits by loss and set, ``(seeds, n)``, of two seeds of net-ctc and three of net-dctc."""
    rng = np.random.default_rng(0)
    return {
        (loss, name): np.stack(
            [score(f"net-{loss}", seed, name, rng.random(n) < share) for seed in range(seeds)]
        )
        for loss, share, seeds in (("ctc", 0.4, 2), ("dctc", 0.6, 3))
        for name, n in SIZES.items()
    }


def test_models_with_one_arm_only_are_no_pair(registry, score, scored):
    score("other-dctc", 0, "A", [True])
    score("alone-ctc", 0, "A", [True])
    pairs = find_pairs(registry, "t/")
    assert list(pairs) == ["net"]
    first, second = pairs["net"]
    assert (first.model, first.loss, second.loss) == ("net", "CTC", "DCTC")
    assert (first.seeds(["A", "B"]), second.seeds(["A"])) == ([0, 1], [0, 1, 2])
    assert common_seeds(first, second, ["A", "B"]) == [0, 1]


def test_a_seed_that_lacks_a_set_does_not_count(record):
    arm = ModelArm("net", "CTC", {"A": {0: record(), 1: record()}, "B": {1: record()}})
    assert arm.seeds(["A", "B"]) == [1]
    assert arm.seeds(["A", "C"]) == []


def test_differences_are_of_the_seeds_in_common(registry, scored):
    found = contrasts(registry, *find_pairs(registry, "t/")["net"], ["A", "B"], MEANS, POOLED)
    assert list(found) == ["A", "B", "mean", "weighted"]  # means that lack a set are left out
    a = {name: scored["ctc", name] for name in SIZES}
    b = {name: scored["dctc", name][:2] for name in SIZES}
    for name in SIZES:
        assert found[name].comparison == compare(a[name], b[name])
        assert found[name].first == pytest.approx(a[name].sum() / (2 * SIZES[name]))
    correct = [sum(hits[name].sum() for name in SIZES) for hits in (a, b)]
    weighted = found["weighted"]
    assert weighted.comparison.points == pytest.approx((correct[1] - correct[0]) / 2 / 50 * 100)
    assert (weighted.comparison.n, weighted.second) == (50, pytest.approx(correct[1] / 100))
    mean = found["mean"]
    expected = [hits["A"].sum() / 80 / 2 + hits["B"].sum() / 20 / 2 for hits in (a, b)]
    assert [mean.first, mean.second] == pytest.approx(expected)
    assert mean.comparison.points == pytest.approx(100 * (expected[1] - expected[0]))


def test_no_seed_in_common_is_said(registry, score):
    score("net-ctc", 0, "A", [True])
    score("net-dctc", 1, "A", [True])
    with pytest.raises(ValueError, match="net: CTC and DCTC have no seed in common"):
        contrasts(registry, *find_pairs(registry, "t/")["net"], ["A"], {}, {})


@pytest.mark.parametrize("change", [{"samples": "other"}, {"about": {"steps": 11}}])
def test_arms_that_differ_in_more_than_the_loss_are_refused(registry, score, change):
    score("net-ctc", 0, "A", [True, False])
    score("net-dctc", 0, "A", [True, True], **change)
    with pytest.raises(ValueError, match=r"t/net-ctc \(seed 0\) and t/net-dctc \(seed 0\) differ"):
        contrasts(registry, *find_pairs(registry, "t/")["net"], ["A"], {}, {})
