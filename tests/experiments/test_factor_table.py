"""The table of a factor, of made-up hits whose differences are known."""

from dataclasses import replace

import numpy as np
import pytest
from experiments.tables.factor_table import NED, factor_table

from dctc.results.cells import DIFFERENCE
from dctc.results.comparison import Row
from dctc.results.registry import Record, Registry
from dctc.results.significance import paired_t
from dctc.results.statistics import compare


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def arm(registry, correct, steps=10, samples="same", ned=80.0):
    """Return records of 100 samples by seed: of each seed so many are read, the first ones."""
    records = {}
    for seed, count in enumerate(correct):
        hits = np.arange(100) < count
        records[seed] = Record(
            *("key", "arm", seed, "set", 100, count, 50, 400, ned + seed, {}, "english36"),
            *(registry.write_hits(hits), samples, 1.0, {"steps": steps}),
        )
    return records


def cells(table):
    return {row[0]: dict(zip(table.columns[1:], row[1:], strict=True)) for row in table.rows}


def test_each_level_is_compared_with_its_own_reference(registry):
    rows = [
        Row("a", "A", "", arm(registry, (50, 52, 54)), {}),
        Row("b", "B", "", arm(registry, (53, 54, 58)), {}, "a"),
        Row("c", "C", "", arm(registry, (40, 40, 41), steps=5), {}),
        Row("d", "D", "", arm(registry, (39, 40, 39), steps=5), {}, "c"),
        Row("e", "E", "", {}, {}, "a"),
    ]
    table = factor_table("Title", registry, rows, ["a note"])
    found = cells(table)
    assert list(found) == ["A", "B", "C", "D"]  # nothing is known of E
    assert found["A"] == {
        "seeds": "3",
        "accuracy": "52.00",
        NED: "81.00",
        "compared with": "-",
        DIFFERENCE: "-",
        "p": "-",
    }
    assert found["B"]["compared with"] == "A" and found["B"][DIFFERENCE].startswith("+3.00 ± ")
    assert found["D"]["compared with"] == "C" and found["D"][DIFFERENCE].startswith("-1.00 ± ")
    hits = [
        np.stack([registry.read_hits(r) for r in row.tested.values()]) for row in rows if row.tested
    ]
    b, d = compare(hits[0], hits[1]), compare(hits[2], hits[3])
    smaller, larger = sorted((b.p, d.p))
    assert {found["B"]["p"], found["D"]["p"]} == {f"{2 * smaller:.3f}", f"{larger:.3f}"}
    notes = " ".join(table.notes)
    assert f"points: B {b.detectable:.2f}; D {d.detectable:.2f}." in notes
    assert table.notes[-1] == "a note" and "One seed" not in notes


def test_ned_stands_with_its_difference_and_the_interval_of_its_t_test(registry):
    better = arm(registry, (50, 51), ned=82.0)
    better[1] = replace(better[1], similarity=84.0)
    rows = [
        Row("a", "A", "", arm(registry, (50, 52)), {}),
        Row("b", "B", "", better, {}, "a"),
        Row("c", "C", "", {1: better[1]}, {}, "a"),
    ]
    found = cells(factor_table("Title", registry, rows))
    test = paired_t(np.array([2.0, 3.0]))
    assert found["B"][NED] == f"83.00 (+2.50 ± {test.high - 2.5:.2f})"
    assert found["C¹"][NED] == "84.00 (+3.00)"


def test_one_seed_is_marked_and_has_no_p(registry):
    rows = [
        Row("a", "A", "", arm(registry, (50, 52)), {}),
        Row("b", "B", "", arm(registry, (55,)), {}, "a"),
    ]
    rows.append(Row("c", "C", "", arm(registry, (50, 51)), {}, "b"))  # one seed in common
    table = factor_table("Title", registry, rows)
    assert "C¹" in cells(table)
    assert cells(table)["B¹"]["p"] == "-" and cells(table)["B¹"]["seeds"] == "1"
    assert cells(table)["B¹"][DIFFERENCE].startswith("+5.00 [")  # of the seed that both have
    assert any(note.startswith("¹ One seed") for note in table.notes)


def test_arms_that_cannot_be_paired_are_refused(registry):
    for other in (arm(registry, (50,), steps=5), arm(registry, (50,), samples="others")):
        rows = [Row("a", "A", "", arm(registry, (50,)), {}), Row("b", "B", "", other, {}, "a")]
        with pytest.raises(ValueError, match="differ in samples"):
            factor_table("Title", registry, rows)
