"""Arms side by side: their records, the table of losses and that of alignments."""

import dataclasses
import re

import numpy as np
import pytest
from experiments.tables.alignment_table import alignment_table
from experiments.tables.loss_table import Cost, comparison_table

from dctc.results.cells import DIFFERENCE, difference_cell, p_cell
from dctc.results.comparison import Row, find_arms
from dctc.results.registry import Registry
from dctc.results.significance import holm
from dctc.results.statistics import compare

N = 40
COLUMNS = ["loss", "weight", "seeds", "accuracy", "NED", DIFFERENCE, "p"]
COLUMNS += ["time", "memory", "loss time"]


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def score(registry, record):
    """``score(arm, seed, accuracy, **changes) -> hits``; puts a record into the registry."""

    def write(arm, seed, accuracy, **changes):
        hits = np.random.default_rng([len(arm), seed]).random(N) < accuracy
        stored = record(
            arm=f"t/{arm}",
            seed=seed,
            n=N,
            correct=int(hits.sum()),
            similarity=0.9 * N + seed,
            hits=registry.write_hits(hits),
            about={"steps": 10, **changes.pop("about", {})},
            **{"set": "test", "run": f"{arm}{seed}", "drops": {"empty": 3}, **changes},
        )
        registry.append(stored)
        return hits

    return write


def row(registry, key, reference="ctc", weight="", test_set="test", alone=""):
    found = find_arms(registry, "t/")[key]
    tested, validated = found.get(test_set, {}), found.get("val", {})
    return Row(key, key.upper(), weight, tested, validated, reference, alone)


def cells(table):
    return {r[0]: dict(zip(table.columns, r, strict=True)) for r in table.rows}


def test_each_arm_is_compared_with_the_reference_over_common_seeds(registry, score):
    hits = {
        arm: np.stack([score(arm, seed, accuracy) for seed in range(seeds)])
        for arm, accuracy, seeds in (("ctc", 0.5, 5), ("dctc", 0.7, 5), ("focal", 0.6, 3))
    }
    rows = [row(registry, "ctc", ""), row(registry, "dctc", weight="0.1"), row(registry, "focal")]
    costs = {"ctc": Cost(1.0, 1.0, 1.0), "dctc": Cost(1.25, 1.5, 2.0)}
    table = comparison_table("T", registry, rows, costs, ["The end."])
    assert table.columns == COLUMNS
    found = cells(table)
    expected = {
        "DCTC": compare(hits["ctc"], hits["dctc"]),
        "FOCAL": compare(hits["ctc"][:3], hits["focal"]),
    }
    p = holm({name: c.p for name, c in expected.items()})
    for name, c in expected.items():
        assert found[name][DIFFERENCE] == difference_cell(c)
        assert found[name]["p"] == p_cell(p[name])
    assert (found["CTC"][DIFFERENCE], found["CTC"]["p"]) == ("-", "-")
    assert [found[name]["seeds"] for name in ("CTC", "DCTC", "FOCAL")] == ["5", "5", "3"]
    assert [found[name]["time"] for name in ("CTC", "DCTC", "FOCAL")] == ["1.00", "1.25", "-"]
    assert (found["DCTC"]["weight"], found["DCTC"]["memory"]) == ("0.1", "1.50")
    assert [found[name]["loss time"] for name in ("CTC", "DCTC", "FOCAL")] == ["1.00", "2.00", "-"]
    accuracy, interval = found["DCTC"]["accuracy"].split(" ", 1)
    low, high = (float(x) for x in interval.strip("[]").split(", "))
    assert accuracy == f"{100 * hits['dctc'].mean():.2f}" and low < float(accuracy) < high
    # similarity .9 n + seed: NED 90 + 2.5 seed, of which 2 is the mean
    assert found["DCTC"]["NED"].startswith("95.00 [90.09, 99.91")  # t(4) = 2.776, sd 3.953
    notes = " ".join(table.notes)
    least = "; ".join(f"{name} {c.detectable:.2f}" for name, c in expected.items())
    assert f"in points: {least}." in notes
    assert "Corrected for 2 comparisons (Holm)." in notes and "‡" not in notes
    assert "Time and memory of FOCAL: not measured; dctc bench --what losses does." in notes
    assert "test: 3 left out (empty)" in notes and notes.endswith("The end.")


def test_one_seed_is_marked_and_has_no_p(registry, score):
    for arm in ("ctc", "ace"):
        score(arm, 0, 0.5)
    table = comparison_table("T", registry, [row(registry, "ctc", ""), row(registry, "ace")], {})
    found = cells(table)["ACE¹"]
    assert (found["p"], found["NED"], found["seeds"]) == ("-", "90.00", "1")
    assert re.fullmatch(r"\+\d+\.\d\d \[.*\]|-\d+\.\d\d \[.*\]", found[DIFFERENCE])
    notes = " ".join(table.notes)
    assert "¹ One seed, or one in common" in notes and "NED with its" in notes
    assert "McNemar's test stands in the table seed by seed" in notes
    assert "McNemar's test of one seed finds" in notes and "t-test over seeds finds" not in notes


def test_the_mark_is_that_of_the_seeds_in_common(registry, score):
    for arm, seeds in (("ctc", (0, 1)), ("views", (1, 2, 3)), ("plus", (0, 1, 2))):
        for seed in seeds:
            score(arm, seed, 0.5)
    rows = [row(registry, "ctc", ""), row(registry, "views"), row(registry, "plus")]
    found = cells(comparison_table("T", registry, rows, {}))
    assert [*found] == ["CTC", "VIEWS¹", "PLUS"]
    assert (found["VIEWS¹"]["seeds"], found["VIEWS¹"]["p"]) == ("3", "-")


def test_what_stands_alone_is_neither_corrected_nor_counted(registry, score):
    """The planned comparison, and a control: the others are a family of two."""
    for arm, accuracy in (
        ("ctc", 0.4),
        ("dctc", 0.6),
        ("plus", 0.7),
        ("focal", 0.5),
        ("ace1", 0.9),
    ):
        for seed in range(4):
            score(arm, seed, accuracy)
    rows = [
        row(registry, "ctc", ""),
        row(registry, "dctc", alone="the claim"),
        row(registry, "plus", alone="a control"),
        row(registry, "focal", "plus"),
        row(registry, "ace1"),
    ]
    table = comparison_table("T", registry, rows, {})
    found = cells(table)
    hits = {r.key: np.stack([registry.read_hits(x) for x in r.tested.values()]) for r in rows}
    p = {r.key: compare(hits[r.reference], hits[r.key]).p for r in rows[1:]}
    family = holm({key: p[key] for key in ("focal", "ace1")})
    assert family != {key: p[key] for key in family}
    assert found["DCTC"]["p"] == f"{p_cell(p['dctc'])}‡"
    assert found["PLUS"]["p"] == f"{p_cell(p['plus'])}‡"
    assert found["FOCAL†"]["p"] == p_cell(family["focal"])
    assert found["ACE1"]["p"] == p_cell(family["ace1"])
    notes = " ".join(table.notes)
    assert "Corrected for 2 comparisons, those without ‡ (Holm)." in notes
    assert "‡ Not corrected: DCTC, the claim; PLUS, a control." in notes


def test_seeds_without_spread_have_no_p_and_do_not_count(registry, score):
    for seed in range(3):
        score("ctc", seed, 0.0)
        score("dctc", seed, 1.1)  # every sample of every seed
        score("focal", seed, 0.5)
    rows = [row(registry, "ctc", ""), row(registry, "dctc"), row(registry, "focal")]
    table = comparison_table("T", registry, rows, {})
    found = cells(table)
    assert found["DCTC"][DIFFERENCE] == "+100.00 [+100.00, +100.00]"
    assert found["DCTC"]["p"] == "-"
    hits = (np.stack([registry.read_hits(r) for r in rows[i].tested.values()]) for i in (0, 2))
    assert found["FOCAL"]["p"] == p_cell(compare(*hits).p)
    notes = " ".join(table.notes)
    assert "Corrected for 1 comparison (Holm)." in notes and "in points: DCTC -; FOCAL " in notes


def test_another_reference_is_marked_and_named(registry, score):
    hits = {arm: score(arm, 0, 0.5) for arm in ("ctc", "plus", "views")}
    rows = [row(registry, "ctc", ""), row(registry, "plus"), row(registry, "views", "plus")]
    table = comparison_table("T", registry, rows, {})
    points = 100 * (hits["views"].mean() - hits["plus"].mean())
    assert cells(table)["VIEWS¹†"][DIFFERENCE].startswith(f"{points:+.2f} ")
    assert "† VIEWS: difference to PLUS." in table.notes


def test_the_latest_record_counts_and_arms_of_another_prefix_do_not(registry, score, record):
    score("ctc", 0, 0.2)
    last = score("ctc", 0, 0.9)
    registry.append(record(arm="other/ctc"))
    found = find_arms(registry, "t/")
    assert set(found) == {"ctc"}
    assert found["ctc"]["test"][0].correct == last.sum()


def test_what_was_scored_last_counts_wherever_it_stands(registry, score):
    new = score("ctc", 0, 0.9, run="new", about={"time": "2026-11-22T10:00:00Z"})
    score("ctc", 0, 0.2, run="adopted", about={"time": "2026-11-21T10:00:00Z"})
    assert find_arms(registry, "t/")["ctc"]["test"][0].correct == new.sum()


def test_runs_of_two_configurations_are_not_mixed(registry, score):
    for name in ("a", "b"):
        score("ctc", 0, 0.2, run="old", set=name, about={"time": "2026-11-21T10:00:00Z"})
        score("ctc", 1, 0.2, run="other", set=name, about={"time": "2026-11-21T10:00:00Z"})
    score("ctc", 0, 0.9, run="new", set="a", about={"time": "2026-11-22T10:00:00Z"})  # then killed
    found = find_arms(registry, "t/")["ctc"]
    assert {seed: r.run for seed, r in found["a"].items()} == {0: "new", 1: "other"}
    assert {seed: r.run for seed, r in found["b"].items()} == {1: "other"}


def test_other_weights_than_those_of_the_end_do_not_count(registry, score):
    score("ctc", 0, 0.5, run="key")
    score("ctc", 0, 0.9, run="key+01234567")
    assert find_arms(registry, "t/")["ctc"]["test"][0].run == "key"


@pytest.mark.parametrize("change", [{"samples": "other"}, {"about": {"steps": 11}}])
def test_runs_that_differ_in_more_than_the_loss_are_refused(registry, score, change):
    score("ctc", 0, 0.5)
    score("dctc", 0, 0.5, **change)
    with pytest.raises(ValueError, match=r"t/ctc \(seed 0\) and t/dctc \(seed 0\) differ"):
        comparison_table("T", registry, [row(registry, "ctc", ""), row(registry, "dctc")], {})


def test_words_that_were_drawn_from_other_fonts_are_refused(registry, score):
    for arm, fonts in (("ctc", "a"), ("dctc", "b")):
        score(arm, 0, 0.5, about={"drawn_from": fonts})
        score(arm, 1, 0.5, about={"drawn_from": "a"} if arm == "ctc" else {})
    with pytest.raises(ValueError, match=r"t/ctc \(seed 0\) and t/dctc \(seed 0\) differ"):
        comparison_table("T", registry, [row(registry, "ctc", ""), row(registry, "dctc")], {})
    score("dctc", 0, 0.5, about={"drawn_from": "a"})
    comparison_table("T", registry, [row(registry, "ctc", ""), row(registry, "dctc")], {})


def test_an_arm_without_a_test_is_left_out(registry, score):
    score("ctc", 0, 0.5)
    score("dctc", 0, 0.5, set="val")
    table = comparison_table("T", registry, [row(registry, "ctc", ""), row(registry, "dctc")], {})
    assert [r[0] for r in table.rows] == ["CTC¹"]


def test_alignment_is_the_mean_and_spread_over_seeds(registry, score):
    names = ("aacc_label", "viterbi_agreement", "blank_share", "greedy_blank_share")
    for seed in range(2):
        about = {"alignment": {**dict.fromkeys(names, 0.5 + seed / 4), "frame_entropy": seed}}
        score("ctc", seed, 0.5, set="val", about=about)
    score("ace", 0, 0.5, set="val")
    table = alignment_table("A", [row(registry, "ctc", ""), row(registry, "ace")])
    assert table.rows == [
        ["CTC", "-", "2", *["62.50 ± 17.68"] * 4, "0.5000 ± 0.7071"],
        ["ACE", "-", "0", *["-"] * 5],
    ]
    assert not any("One seed" in note for note in table.notes)
    score("one", 0, 0.5, set="val", about=about | {"trained_on": "NVIDIA H100 (x86_64)"})
    table = alignment_table("A", [row(registry, "one", ""), row(registry, "ctc", "")])
    assert [r[0] for r in table.rows] == ["ONE¹", "CTC"] and "¹ One seed." in table.notes
    assert any("Trained on a GPU (NVIDIA H100): ONE." in note for note in table.notes)


def test_tables_are_written_as_markdown_and_csv(registry, score, tmp_path):
    score("ctc", 0, 0.5)
    table = comparison_table("T", registry, [row(registry, "ctc", "")], {})
    table = dataclasses.replace(table, rows=[["a, b", *table.rows[0][1:]]])
    table.write(tmp_path / "out", "t")
    assert (tmp_path / "out" / "t.md").read_text() == table.markdown()
    head, line = (tmp_path / "out" / "t.csv").read_text().splitlines()
    assert head == ",".join(COLUMNS) and line.startswith('"a, b",-,1,')
