"""The search for weights: its runs, what is read of it, and the final runs that follow."""

import pytest
from experiments.studies.word_runs import WordRuns

from dctc.results.registry import Record
from dctc.studies.searched_arm import SearchedArm
from dctc.studies.weight_search import SEARCH_SEED, WeightSearch

CTC = SearchedArm("ctc", "CTC", options=("--loss=ctc",), seeds=4)
RIVALS = tuple(
    SearchedArm(
        *(key, key.upper(), "--weight={}", ("1", "2"), "ours", (f"--loss={key}",)),
        seeds=1 + (key != "f"),
        ranked=key != "a",
    )
    for key in "abcdef"
)
STUDY = WeightSearch("t", WordRuns(real=True), (CTC, *RIVALS), 3, ("--steps=1",))


def record(correct=0):
    """Return a record of validation words of which so many were read."""
    return Record("key", "arm", 100, "val", 99, correct, 0, 1, 0.0, {}, "p", "hits", "samples", 1)


@pytest.fixture
def found():
    """A search in which a reads most, but is not ranked, then b, and so on; e is not complete."""
    scored = {"ctc": {"FUNSD_val": {100: record(correct=0), 0: record()}, "FUNSD": {0: record()}}}
    for i, key in enumerate("abcdef"):
        for weight in "12":
            scored[f"{key}-{weight}"] = {"FUNSD_val": {100: record(correct=90 - i)}}
    del scored["e-2"]["FUNSD_val"]
    return scored


def test_a_search_is_scored_on_validation_words_only():
    runs = STUDY.search_runs([CTC, RIVALS[0]])
    assert [run.name for run in runs] == [f"t/{arm}/seed100" for arm in ("ctc", "a-1", "a-2")]
    assert runs[1].options[1:5] == (
        *("--data.init_args.test=[FUNSD_val]", "--loss=a", "--weight=1", "--steps=1"),
    )
    final = STUDY.run(RIVALS[0], "1", 0)
    assert final.options[1] == "--data.init_args.test=[FUNSD_val,FUNSD]"
    assert SEARCH_SEED == 100


def test_an_arm_has_its_seeds_up_to_those_of_the_study_once_its_search_is_complete(found):
    searched = STUDY.read(found)
    assert STUDY.final_seeds(searched) == {"ctc": 3, **dict.fromkeys("abcd", 2), "f": 1}


def test_the_strongest_are_those_that_are_ranked(found):
    assert [arm.key for arm in STUDY.strongest(STUDY.read(found), 2)] == ["b", "c"]


def test_final_runs_take_all_arms_of_a_seed_before_the_next(found):
    searched = STUDY.read(found)
    arms = STUDY.arms(["ctc", "e", "f"])
    assert [run.name for run in STUDY.final_runs(searched, arms)] == [
        *("t/ctc/seed0", "t/f-1/seed0", "t/ctc/seed1", "t/ctc/seed2"),
    ]
    assert [run.name for run in STUDY.final_runs(searched, arms, [7])] == [
        *("t/ctc/seed7", "t/f-1/seed7"),
    ]


def test_records_of_the_search_are_not_final(found):
    tested, validated = STUDY.final_records(found, CTC, "")
    assert (list(tested), list(validated)) == ([0], [0])
    assert STUDY.final_records(found, RIVALS[0], "1") == ({}, {})
