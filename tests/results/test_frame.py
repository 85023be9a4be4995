"""The registry as a data frame."""

import numpy as np
import pytest

from dctc.results.frame import per_run, read_frame, rows_of
from dctc.results.registry import EDIT_PARTS, OTHER_WEIGHTS, Registry
from tiny import add_result

HITS = np.array([True, False, False, True])


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def test_a_row_for_each_arm_seed_and_set(registry):
    parts = {"substitutions": 1, "deletions": 0, "insertions": 1}
    about = {"steps": 5, "drawn_from": "fonts", "versions": {"torch": "2.0"}, EDIT_PARTS: parts}
    about |= {"hardware": "NVIDIA X (x86_64)", "alignment": {"aacc_label": 1.0}}
    add_result(registry, "a/b-0.1", 3, HITS, "SVT", about=about, drops={"corrupt": 2})
    record = add_result(
        registry, "a/b-0.1", 3, HITS[1:], "CUTE80", about={"hardware": "X, 1 thread (x)"}
    )
    frame = read_frame(registry).set_index("set", drop=False)
    row, other = frame.loc["SVT"], frame.loc["CUTE80"]
    assert (row.study, row.arm, row.key, row.seed) == ("a", "a/b-0.1", "b-0.1", 3)
    assert (row.n, row.correct, row.edits, row.characters) == (4, 2, 2, 20)
    assert (row.accuracy, row.ned, row.cer) == (50.0, 75.0, 10.0)
    assert (row.substitutions, row.deletions, row.insertions) == (1, 0, 1)
    assert (row.steps, row.drawn_from, row.gpu, row.torch) == (5, "fonts", "NVIDIA X", "2.0")
    assert (row.seconds, row.drops, row.alignment) == (3600.0, {"corrupt": 2}, {"aacc_label": 1.0})
    assert registry.read_hits(row).tolist() == HITS.tolist()
    # what a record does not say
    assert np.isnan([other.substitutions, other.deletions, other.insertions]).all()
    assert (other.gpu, other.torch, other.alignment) == ("", "", None) and np.isnan(other.steps)
    assert (other.run, other.samples) == (record.run, record.samples)


def test_the_run_that_was_scored_last_counts_and_other_weights_do_not(registry):
    for run, time, hits in (("new", "2", HITS), ("old", "1", ~HITS), ("old", "1", HITS[:3])):
        add_result(registry, "a/b", 0, hits, run=run, about={"time": time})
    add_result(registry, "a/b", 0, HITS[:1], run=f"new{OTHER_WEIGHTS}x", about={"time": "3"})
    (row,) = read_frame(registry).itertuples()
    assert (row.run, row.n) == ("new", 4)


def test_metrics_of_each_run_on_the_mean_of_sets(registry):
    for seed, (one, two) in enumerate([(4, 2), (1, 3)]):
        add_result(registry, "t/a", seed, np.arange(4) < one, "one")
        add_result(registry, "t/a", seed, np.arange(8) < two, "two")
    add_result(registry, "t/a", 2, HITS, "one")  # not tested on the other set
    add_result(registry, "t/b", 0, HITS, "one")
    frame = read_frame(registry)
    assert per_run(frame, "t/a", ["one", "two"]).to_dict() == {0: 62.5, 1: 31.25}
    assert per_run(frame, "t/a", ["one"]).to_dict() == {0: 100.0, 1: 25.0, 2: 50.0}
    assert per_run(frame, "t/a", ["one", "two"], "ned")[0] == 81.25
    assert rows_of(frame, "t/a", ["one", "two"]).seed.tolist() == [0, 0, 1, 1]
    assert per_run(frame, "t/c", ["one"]).empty and per_run(frame, "t/a", ["three"]).empty


def test_an_empty_registry_has_all_columns(registry, tmp_path):
    empty = read_frame(registry)
    add_result(Registry(tmp_path / "other"), "a/b", 0, HITS)
    assert {*empty.columns} == {*read_frame(Registry(tmp_path / "other")).columns}
    assert empty.empty and per_run(empty, "a/b", ["set"]).empty
