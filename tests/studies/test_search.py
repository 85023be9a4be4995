"""Searches: what is chosen, what is still open, and the table of it."""

import pytest

from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies.search import choices, open_searches, search_table
from dctc.studies.study import SEARCH_SEED
from dctc.studies.study_file import load_study

STUDY = """
study: t
title: Losses
config: []
validation: val
arms:
  ctc: {title: CTC}
  focal: {title: Focal, search: {argument: gamma, values: [1, 2, 4], source: ours}}
  prior: {title: Prior, search: {argument: scale, values: [0.1, 0.3]}}
"""


@pytest.fixture
def study(tmp_path):
    (tmp_path / "t.yaml").write_text(STUDY)
    return load_study(tmp_path / "t.yaml")


@pytest.fixture
def scored(tmp_path, record):
    """``scored({"focal-1": hits, ...}) -> frame`` of four validation words and one final run."""

    def make(correct, **changes):
        registry = Registry(tmp_path)
        for arm, hits in {**correct, "final": 4}.items():
            seed = 0 if arm == "final" else SEARCH_SEED
            arm, found = ("focal-1" if arm == "final" else arm), changes.get(arm, {})
            own = {"arm": f"t/{arm}", "run": f"{arm}{seed}", "seed": seed, "set": "val", **found}
            registry.append(record(n=4, correct=hits, **own))
        return read_frame(registry)

    return make


def test_the_best_of_a_complete_search_is_chosen_and_of_equal_ones_the_first(study, scored):
    frame = scored({"ctc": 1, "focal-1": 2, "focal-2": 3, "focal-4": 3, "prior-0.1": 4})
    assert choices(study, frame) == {"ctc": None, "focal": 2}
    assert open_searches(study, frame).startswith("Open searches: Prior. ")
    frame = scored({"prior-0.3": 1})
    assert choices(study, frame) == {"ctc": None, "focal": 2, "prior": 0.1}
    assert open_searches(study, frame) == ""


def test_results_on_other_words_are_refused(study, scored):
    other = {"focal-2": {"samples": "other"}}
    frame = scored({"focal-1": 2, "focal-2": 3, "focal-4": 3}, **other)
    with pytest.raises(ValueError, match="search of t/focal: scored on different samples"):
        choices(study, frame)


def test_the_table_has_a_row_for_each_value_and_marks_the_choice(study, scored):
    frame = scored({"ctc": 1, "focal-1": 2, "focal-2": 3, "focal-4": 1, "prior-0.1": 4})
    table = search_table(study, frame)
    assert table.columns == ["arm", "value", "n", "accuracy", "NED", "choice"]
    assert [row[:2] + row[3:4] + row[5:] for row in table.rows] == [
        ["CTC", "-", "25.00", ""],
        ["Focal", "1", "50.00", ""],
        ["Focal", "2", "75.00", "chosen"],
        ["Focal", "4", "25.00", ""],
        ["Prior", "0.1", "100.00", ""],
    ]
    assert "Sources of the values: Focal (ours)." in table.notes
    assert not any(note.startswith("Edge: ") for note in table.notes)
    table = search_table(study, scored({"prior-0.3": 1}))
    assert [row[5] for row in table.rows if row[0] == "Prior"] == ["chosen, edge", ""]
    assert any(note.startswith("Edge: ") for note in table.notes)


def test_nothing_is_searched(study, scored):
    assert search_table(study, scored({})) is None
