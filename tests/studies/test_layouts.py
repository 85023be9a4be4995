"""Arms against their references, as tables and plots: made-up results."""

from dataclasses import replace

import numpy as np
import pytest

from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies.layouts import comparison_table, differences_table, draw_study
from dctc.studies.study import SEARCH_SEED, Group
from dctc.studies.study_file import load_study
from dctc.studies.summary import summarize
from tiny import add_result

MADE_UP = """
study: t
title: Losses
config: []
reference: ctc
planned: dctc
seeds: 2
sets: [one, two]
mean: mean of two
validation: val
arms:
  ctc: {title: CTC}
  dctc: {title: DCTC}
  focal: {title: Focal, search: {argument: gamma, values: [1, 2]}}
  prior: {title: Prior}
  best: {title: Best, reference: dctc}
"""
RATES = {"ctc": 0.5, "dctc": 0.7, "focal-2": 0.6, "prior": 0.4, "best": 0.8}


@pytest.fixture
def made_up(tmp_path):
    """A study, and a registry with results of all its arms; Focal's value is 2."""
    registry, rng = Registry(tmp_path / "results"), np.random.default_rng(0)
    for arm, rate in RATES.items():
        for seed in (0, 1):
            for name in ("one", "two"):
                add_result(registry, f"t/{arm}", seed, rng.random(200) < rate, name)
    for value in (1, 2):
        hits = np.arange(50) < 10 * value
        add_result(registry, f"t/focal-{value}", SEARCH_SEED, hits, "val")
    gpu = {"steps": 10, "hardware": "NVIDIA X (x86_64)"}
    add_result(registry, "t/prior", 1, rng.random(200) < 0.4, "one", about=gpu)
    (tmp_path / "t.yaml").write_text(MADE_UP)
    return load_study(tmp_path / "t.yaml"), read_frame(registry), registry


def test_a_study_compares_arms_with_their_references(made_up):
    found = summarize(*made_up)
    assert list(found.index) == ["ctc", "dctc", "focal", "prior", "best"]
    assert list(found.reference) == ["", "ctc", "ctc", "ctc", "dctc"]
    assert list(found.value)[2] == 2 and (found.runs == 2).all()
    for key, reference in (("dctc", "ctc"), ("focal", "ctc"), ("best", "dctc")):
        row = found.loc[key]
        assert row.points == pytest.approx(row.accuracy - found.accuracy[reference])
        assert row.low < row.points < row.high
        assert row.ned_points == pytest.approx(row.points / 2)
    # planned by itself, alone with its reference, or one of two
    assert found.p.notna().tolist() == [False, True, False, False, True]
    assert found.n["dctc"] == 400
    alone = summarize(*made_up, ["ctc", "focal"], ["one"])
    assert alone.p.notna().tolist() == [False, True] and alone.n["focal"] == 200
    against = summarize(*made_up, ["dctc", "focal"], (), {"focal": "dctc", "dctc": ""})
    assert against.points["focal"] == pytest.approx(found.accuracy.focal - found.accuracy.dctc)
    study, _, registry = made_up
    frame = made_up[1][made_up[1].seed != 1]
    for keys, with_p in ((["ctc", "dctc"], True), (["ctc", "focal", "prior"], False)):
        table = comparison_table(study, summarize(study, frame, registry, keys), frame, "one seed")
        assert ("p" in table.columns) == with_p
        assert any("NED's has no interval" in note for note in table.notes)


def test_the_tables_and_the_plot_of_a_study(made_up):
    frame = made_up[1]
    tables, figures = draw_study(*made_up)
    assert set(tables) == {"compare", "sets", "runs", "search"} and set(figures) == {"compare"}
    rows = [dict(zip(tables["compare"].columns, r, strict=True)) for r in tables["compare"].rows]
    assert [row["trained with"] for row in rows] == ["CTC", "DCTC", "Focal 2", "Prior", "Best"]
    assert [row["compared with"] for row in rows] == ["-", "CTC", "CTC", "CTC", "DCTC"]
    notes = " ".join(tables["compare"].notes)
    assert "simultaneous intervals (Dunnett)" in notes and "of its own: DCTC." in notes
    assert "Trained on a GPU (NVIDIA X): Prior (seed 1)." in notes
    labels = [label.get_text() for label in figures["compare"].axes[0].get_yticklabels()]
    assert labels == [row["trained with"] for row in rows]
    seeds = {row[0]: row[1:] for row in tables["runs"].rows}
    own = frame[(frame.arm == "t/dctc") & (frame.seed == 1)].accuracy.mean()
    assert seeds["DCTC"][1] == f"{own:.2f}" and len(seeds) == 5
    by_set = {row[0]: row[1:] for row in tables["sets"].rows}
    assert by_set["runs"] == ["", "2", "2", "2", "2", "2"]
    of_ctc = frame[frame.arm == "t/ctc"]
    assert by_set["one"][:2] == ["200", f"{of_ctc[of_ctc.set == 'one'].accuracy.mean():.2f}"]
    assert by_set["mean of two"][1] == f"{of_ctc.accuracy.mean():.2f}" == by_set["weighted mean"][1]


def test_arms_of_one_title_are_shown_apart(made_up):
    study, frame, registry = made_up
    arms = {**study.arms, "prior": replace(study.arms["prior"], title="CTC")}
    tables, _ = draw_study(replace(study, arms=arms), frame, registry)
    assert [*tables["sets"].columns][2:] == ["CTC", "DCTC", "Focal", "CTC", "Best"]
    assert [row[0] for row in tables["runs"].rows] == ["CTC", "DCTC", "Focal", "CTC", "Best"]


def test_a_group_has_a_table_of_its_own(made_up):
    study, frame, registry = made_up
    group = Group("pair", "A pair", ("dctc", "prior", "open"), {"dctc": ""}, ("Why.",))
    tables, figures = draw_study(replace(study, groups=(group,)), frame, registry)
    assert "compare" not in tables and not figures
    table = tables["pair"]
    assert (table.title, [row[0] for row in table.rows]) == ("A pair", ["DCTC", "Prior"])
    assert table.notes[-1] == "Why."


def test_an_arm_on_each_set(made_up):
    study, frame, registry = made_up
    table = differences_table(study, frame, registry, "dctc", ["val"])
    assert [row[:2] for row in table.rows] == [
        ["one", "200"],
        ["two", "200"],
        ["mean of two", "400"],
    ]
    assert differences_table(study, frame[frame.arm != "t/ctc"], registry, "dctc") is None


def test_results_that_are_not_there(tmp_path, made_up):
    study, *_ = made_up
    registry = Registry(tmp_path / "empty")
    assert draw_study(study, read_frame(registry), registry) == ({}, {})
    add_result(registry, "t/prior", 0, np.arange(9) < 3, "one")
    add_result(registry, "t/prior", 0, np.arange(9) < 3, "two")
    tables, _ = draw_study(study, read_frame(registry), registry)
    assert [row[-2:] for row in tables["compare"].rows] == [["", ""]]
    note = "No difference to CTC, of which no run is finished."
    assert note in tables["compare"].notes and note not in draw_study(*made_up)[0]["compare"].notes
