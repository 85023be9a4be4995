"""Tables by model: every cell against sums by hand."""

from dataclasses import replace

import numpy as np
import pytest
from experiments.tables.model_arms import ModelArm, contrasts
from experiments.tables.model_table import (
    accuracy_table,
    companion_table,
    detectable_note,
    difference_table,
)
from scipy import stats

from dctc.results.cells import DIFFERENCE
from dctc.results.registry import Registry

MEANS, POOLED = {"mean of two": ("A", "B")}, {"weighted mean": ("A", "B")}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def arm(registry, record):
    """``arm(loss, {set: [correct of seed 0, ...]}, {set: n}) -> ModelArm``; the first are hit."""

    def make(loss, correct, sizes, **changes):
        records = {
            name: {
                seed: record(
                    arm=loss,
                    seed=seed,
                    set=name,
                    n=sizes[name],
                    correct=hit,
                    edits=10 * (seed + 1),
                    characters=100,
                    similarity=0.5 * sizes[name],
                    hits=registry.write_hits(np.arange(sizes[name]) < hit),
                    samples=name,
                    drops={"empty": 2},
                    **changes,
                )
                for seed, hit in enumerate(of_set)
            }
            for name, of_set in correct.items()
        }
        return ModelArm("net", loss, records)

    return make


SIZES = {"A": 10, "B": 40}


def test_accuracies_and_means_by_hand(arm):
    ctc = arm("CTC", {"A": [5, 7], "B": [10, 20]}, SIZES)
    dctc = arm("DCTC", {"A": [8], "B": [20]}, SIZES)
    table = accuracy_table("T", [ctc, dctc], ["A", "B"], MEANS, POOLED, ["The end."])
    assert table.columns == ["trained", "seeds", "A 10", "B 40", "mean of two", "weighted mean"]
    assert table.rows == [
        # A 60 %, B 15 of 40; weighted: 21 of 50
        ["net, CTC", "2", "60.00", "37.50", "48.75", "42.00"],
        ["net, DCTC¹", "1", "80.00", "50.00", "65.00", "56.00"],
    ]
    assert table.notes[-3:] == ["A: 2 left out (empty)", "B: 2 left out (empty)", "The end."]
    assert any(note.startswith("¹ One seed") for note in table.notes)


def test_a_mean_that_lacks_a_set_is_empty(arm):
    table = accuracy_table("T", [arm("CTC", {"A": [5]}, SIZES)], ["A"], MEANS, POOLED)
    assert table.rows == [["net, CTC¹", "1", "50.00", "-", "-"]]


def test_an_arm_without_all_sets_is_left_out_and_none_is_an_error(arm):
    whole = arm("CTC", {"A": [5, 6], "B": [1, 2]}, SIZES)
    part = arm("DCTC", {"A": [5, 6]}, SIZES)
    table = accuracy_table("T", [whole, part], ["A", "B"], {}, {})
    assert [row[0] for row in table.rows] == ["net, CTC"]
    with pytest.raises(ValueError, match="T: no run was scored on all of A, B"):
        accuracy_table("T", [part], ["A", "B"], {}, {})


def test_arms_of_other_samples_do_not_share_a_table(arm):
    one, other = (arm(loss, {"A": [5]}, {"A": n}) for loss, n in (("CTC", 10), ("DCTC", 10)))
    renamed = {seed: replace(r, samples="x") for seed, r in other.records["A"].items()}
    other = ModelArm("net", "DCTC", {"A": renamed})
    with pytest.raises(ValueError, match="A: 2 different sets of samples in one table"):
        accuracy_table("T", [one, other], ["A"], {}, {})


def test_differences_have_interval_p_and_what_is_detectable(registry, arm):
    ctc = arm("CTC", {"A": [5, 6, 7], "B": [10, 12, 11]}, SIZES)
    dctc = arm("DCTC", {"A": [6, 6, 9], "B": [14, 12, 13]}, SIZES)
    found = contrasts(registry, ctc, dctc, ["A", "B"], MEANS, POOLED)
    table = difference_table("T", ("CTC", "DCTC"), found)
    assert table.columns == ["on", "n", "CTC", "DCTC", DIFFERENCE, "p", "detectable"]
    rows = {row[0]: row[1:] for row in table.rows}
    gains = {  # points of each seed
        "A": [10.0, 0.0, 20.0],
        "B": [10.0, 0.0, 5.0],
        "mean of two": [10.0, 0.0, 12.5],
        "weighted mean": [10.0, 0.0, 8.0],
    }
    assert list(rows) == list(gains)
    for name, points in gains.items():
        first, second, difference, p, detectable = rows[name][1:]
        assert float(second) - float(first) == pytest.approx(np.mean(points), abs=0.011)
        value, _, half, low, high = (x.strip("[],") for x in difference.split())
        value, half, low, high = map(float, (value, half, low, high))
        # t(2): 97.5 % quantile 4.302653
        assert half == pytest.approx(4.302653 * np.std(points, ddof=1) / 3**0.5, abs=0.006)
        assert value == pytest.approx(np.mean(points), abs=0.006) and low <= value <= high
        assert p == f"{stats.ttest_1samp(points, 0).pvalue:.3f}"
        # 3 seeds: the effect found with 80 % is 3.26 standard deviations (noncentral t)
        assert float(detectable) == pytest.approx(3.26 * np.std(points, ddof=1), rel=0.01)
    assert [rows[name][0] for name in rows] == ["10", "40", "50", "50"]
    assert rows["weighted mean"][1:3] == ["34.00", "40.00"]  # 51 and 60 of 150
    (note,) = detectable_note("net", found)
    assert note.startswith("net: Least true difference")
    assert f"weighted mean {rows['weighted mean'][-1]}." in note


def test_nothing_compared_says_nothing_of_what_could_be_found():
    assert detectable_note("net", {}) == []


def test_one_seed_has_no_test(registry, arm):
    ctc, dctc = (arm(loss, {"A": [k], "B": [k]}, SIZES) for loss, k in (("CTC", 2), ("DCTC", 6)))
    found = contrasts(registry, ctc, dctc, ["A", "B"], MEANS, POOLED)
    table = difference_table("T", ("CTC", "DCTC"), found)
    assert [row[5] for row in table.rows] == ["-"] * 4
    assert table.rows[2][6] == "-" and table.rows[3][6] != "-"
    assert any(note.startswith("One seed") for note in table.notes)
    assert "McNemar's test of one seed" in table.notes[-1]


def test_a_companion_has_ned_and_cer(registry, arm):
    ctc = arm("CTC", {"A": [5, 6, 7]}, SIZES)
    dctc = arm("DCTC", {"A": [6, 8]}, SIZES)
    table = companion_table("T", registry, ctc, dctc, "A", ["The end."])
    # seeds 0 and 1: 11 and 14 of 20; CER 10 and 20 of 100
    first, second = table.rows
    assert first == ["net, CTC", "55.00", "50.00", "15.00", "-", "-", "-"]
    assert second[:4] == ["net, DCTC", "70.00", "50.00", "15.00"]
    assert second[4].startswith("+15.00 ± ")
    assert second[5] == f"{stats.ttest_1samp([10.0, 20.0], 0).pvalue:.3f}"
    assert table.notes[0].startswith("A: 10 samples, 2 seeds of each")
    assert table.notes[-2:] == ["A: 2 left out (empty)", "The end."]
