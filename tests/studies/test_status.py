"""Keys of planned runs, which of them are done, and how long the others take."""

import json
from dataclasses import replace

import pytest

from dctc.data.records.provenance import RECIPE
from dctc.results.registry import Registry
from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.runner import execute
from dctc.studies.status import planned_key, status_lines
from dctc.studies.stored_words import StoredWords


@pytest.fixture(autouse=True)
def cores(monkeypatch, runs):
    monkeypatch.setattr("dctc.studies.status._on_gpu", lambda: False)


@pytest.fixture
def plan(plain):
    """Six runs of two arms."""
    return [
        replace(plain, name=f"t/{arm}/seed{seed}", arm=f"t/{arm}", seed=seed)
        for arm in ("ctc", "dctc")
        for seed in (0, 1, 2)
    ]


@pytest.fixture
def append(record, runs):
    """``append(run, key=None, seconds=5400.0, set="rendered", folder=runs, **about)``."""

    def append(run, key=None, seconds=5400.0, set="rendered", folder=runs, **about):
        own = {"arm": run.arm, "seed": run.seed, "set": set, "wall_s": seconds, "about": about}
        Registry(folder).append(record(run=key or planned_key(run), **own))

    return append


def test_the_key_is_that_of_the_finished_run_and_nothing_is_made(plain, runs, trained):
    key = planned_key(plain)
    assert not runs.exists()
    assert {record.run for record in Registry(trained).records()} == {key}


def test_runs_that_are_done_and_the_time_of_the_others(plan, append):
    for run in (plan[0], plan[0], plan[3]):
        append(run)
    append(plan[1], "a configuration of the past")
    assert status_lines({"table9": plan, "figure2": [], "figure9": plan[:1]}) == [
        "table9       2 of    6 runs done,    4 missing; about 6.0 h, one at a time",
        "figure2   nothing to train",
        "figure9      1 of    1 runs done,    0 missing",
        "together     2 of    6 runs done,    4 missing; about 6.0 h, one at a time",
    ]


def test_a_run_is_done_when_all_its_sets_are_scored(plan, append, tmp_path, write_lmdb):
    write_lmdb(tmp_path / "data" / "CUTE80", [(b"image", b"one")])
    run = replace(plan[0], benchmarks=Benchmarks(("CUTE80", "SVT")))  # SVT is not there
    append(run)
    assert " 0 of    1 runs done" in status_lines({"t": [run]})[0]
    append(run, set="CUTE80")
    assert " 1 of    1 runs done" in status_lines({"t": [run]})[0]


def test_times_are_of_the_arm_and_of_the_kind_of_machine(plan, append, tmp_path, monkeypatch):
    cores, h100 = "AMD EPYC, 1 thread (x86_64)", "NVIDIA H100 80GB HBM3 (x86_64)"
    append(plan[0], "key", seconds=3600.0, hardware=cores)
    # trained on a GPU, and tested on cores
    append(plan[1], "key", seconds=360.0, hardware=cores, trained_on=h100)
    append(plan[3], "key", seconds=720.0, hardware=h100)
    assert status_lines({"t": plan})[0].endswith("; about 6.0 h, one at a time, 3 guessed")
    assert status_lines({"t": plan[3:]})[0].endswith("missing; not known how long on CPU cores")
    published = tmp_path / "published"
    append(plan[3], "key", seconds=7200.0, folder=published)
    assert status_lines({"t": plan}, published)[0].endswith("; about 9.0 h, one at a time")
    monkeypatch.setattr("dctc.studies.status._on_gpu", lambda: True)
    assert status_lines({"t": plan})[0].endswith("; about 0.9 h, one at a time")


def test_the_key_does_not_depend_on_whether_shared_words_are_drawn(plain):
    words = StoredWords("words", plain.configs)
    run = replace(plain, stored=words)
    before = planned_key(run)
    assert before != planned_key(plain)  # which draws other words for every seed
    words.write()
    assert (words.folder / RECIPE).is_file()
    assert planned_key(run) == before == execute(run, "off").records["rendered"].run
    recipe = json.loads((words.folder / RECIPE).read_text())
    (words.folder / RECIPE).write_text(json.dumps({**recipe, "seed": 9}))
    assert planned_key(run) != before
