"""Losses on several sets: differences to the first, corrected for how many losses there are."""

import numpy as np
import pytest
from experiments.tables.losses_on_sets import losses_on_sets
from experiments.tables.model_arms import ModelArm, contrasts

from dctc.results.cells import difference_cell, p_cell
from dctc.results.registry import Registry
from dctc.results.significance import holm

SIZES, MEANS = {"A": 40, "B": 10}, {"mean of two": ("A", "B")}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def losses(registry, record):
    """Records by loss, set and seed: three seeds of CTC, two of EN, one of ACE."""
    rng = np.random.default_rng(0)

    def scored(loss, name, seed, share):
        hits = rng.random(SIZES[name]) < share
        counts = {"n": len(hits), "correct": int(hits.sum()), "samples": name}
        return record(
            arm=loss, seed=seed, set=name, hits=registry.write_hits(hits), **counts, drops={}
        )

    return {
        loss: {name: {s: scored(loss, name, s, share) for s in range(seeds)} for name in SIZES}
        for loss, share, seeds in (("CTC", 0.4, 3), ("EN", 0.6, 2), ("EA", 0.5, 2), ("ACE", 0.2, 1))
    }


def draw(registry, losses, means=MEANS, planned=""):
    return losses_on_sets("T", registry, "net", losses, means, "other", planned, ["The end."])


def test_each_loss_is_compared_on_the_mean_and_on_each_set(registry, losses):
    accuracies, differences = draw(registry, losses)
    assert [row[:2] for row in accuracies.rows] == [
        ["net, CTC", "3"],
        ["net, EN", "2"],
        ["net, EA", "2"],
        ["net, ACE¹", "1"],
    ]
    assert accuracies.columns[-1] == "mean of two" and accuracies.notes[-1] == "The end."
    assert [row[:3] for row in differences.rows] == [
        [name, loss, seeds]
        for name in ("mean of two", "A", "B")
        for loss, seeds in (("EN", "2"), ("EA", "2"), ("ACE", "1"))
    ]
    ctc, *others = (ModelArm("net", loss, records) for loss, records in losses.items())
    found = {
        arm.loss: contrasts(registry, ctc, arm, [*SIZES], MEANS, {})["mean of two"]
        for arm in others
    }
    corrected = holm({loss: found[loss].comparison.p for loss in ("EN", "EA")})
    for row in differences.rows[:3]:
        contrast = found[row[1]]
        c = contrast.comparison
        assert row[3:6] == [
            f"{100 * contrast.first:.2f}",
            f"{100 * contrast.second:.2f}",
            difference_cell(c),
        ]
        assert row[6] == p_cell(corrected.get(row[1]))
    assert differences.rows[2][7] == "-"  # one seed: the mean has no detectable difference


@pytest.mark.parametrize(("planned", "other"), [("EN", "EA"), ("EA", "EN")])
def test_the_planned_comparison_is_not_corrected(registry, losses, planned, other):
    _, differences = draw(registry, losses, planned=planned)
    arms = {loss: ModelArm("net", loss, records) for loss, records in losses.items()}
    p = {
        (name, loss): contrast.comparison.p
        for loss in (planned, other)
        for name, contrast in contrasts(
            registry, arms["CTC"], arms[loss], [*SIZES], MEANS, {}
        ).items()
    }
    drawn = {(row[0], row[1]): row[6] for row in differences.rows}
    mean = "mean of two"
    assert drawn[mean, planned] == p_cell(p[mean, planned], "‡")
    assert drawn[mean, other] == p_cell(p[mean, other])  # it is then alone
    for name in SIZES:  # of single sets none was planned
        corrected = holm({loss: p[name, loss] for loss in (planned, other)})
        assert all(drawn[name, loss] == p_cell(value) for loss, value in corrected.items())
        assert drawn[name, "ACE"] == "-"
    assert (
        f"‡ {planned}: the planned comparison; its p is not corrected. The rows of single sets "
        "were not planned."
    ) in differences.notes
    of_sets = draw(registry, losses, {"mean": ("A", "X")}, planned)[1]  # no mean is whole
    assert not any("‡" in text for text in (*of_sets.notes, *(row[6] for row in of_sets.rows)))


def test_a_planned_comparison_of_one_seed_has_no_p(registry, losses):
    assert draw(registry, losses, planned="ACE")[1].rows[2][6] == "-"


def test_a_mean_that_lacks_a_set_is_left_out_and_called_a_trial(registry, losses):
    for records in losses.values():
        del records["B"]
    accuracies, differences = draw(registry, losses)
    assert {row[0] for row in differences.rows} == {"A"}
    for table in (accuracies, differences):
        assert table.notes[-1] == "Scored on A alone: a trial, no result."


def test_what_stands_in_is_used_where_no_set_is_there(registry, losses):
    assert draw(registry, losses, {"mean": ("X",)}) is None
    own = {loss: {"other": records["A"]} for loss, records in losses.items()}
    accuracies, differences = draw(registry, own)
    assert accuracies.columns[2:] == ["other 40"]
    assert {row[0] for row in differences.rows} == {"other"}


def test_a_further_set_is_shown_in_no_mean_where_all_arms_have_it(registry, losses):
    for records in losses.values():
        records["other"] = records["A"]
    accuracies, differences = draw(registry, losses)
    assert accuracies.columns[-2:] == ["other 40", "mean of two"]
    assert list(dict.fromkeys(row[0] for row in differences.rows))[-1] == "other"
    losses["EN"]["other"] = {0: losses["EN"]["A"][0]}  # it would cost the loss a seed
    assert "other 40" not in draw(registry, losses)[0].columns


def test_one_loss_is_no_comparison(registry, losses):
    assert draw(registry, {"CTC": losses["CTC"], "DCTC": {}}) is None
    assert draw(registry, {"CTC": {}, "DCTC": losses["CTC"]}) is None
