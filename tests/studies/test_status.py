import json
from pathlib import Path

import pytest

from dctc.data.records.writer import RECIPE
from dctc.results.registry import Record, Registry
from dctc.studies.real_words import Benchmarks
from dctc.studies.runner import Run
from dctc.studies.status import planned_key, status_lines
from dctc.training.cli import RecognizerCLI
from tiny import config, write_config

pytestmark = [
    pytest.mark.usefixtures("runs"),
    pytest.mark.filterwarnings("ignore:LightningCLI's args parameter"),
]


@pytest.fixture
def plan(tmp_path):
    """Six runs of two arms."""
    options = (write_config(tmp_path / "plan.yaml", config()), "--trainer.max_steps=1")
    return [
        Run(f"t/{arm}/seed{seed}", (*options, f"--seed_everything={seed}"))
        for arm in ("ctc", "dctc")
        for seed in (0, 1, 2)
    ]


@pytest.fixture(autouse=True)
def cores(monkeypatch):
    monkeypatch.setattr("dctc.studies.status._on_gpu", lambda: False)


def record(run, key, seconds=5400.0, name="rendered", **about):
    arm, _, seed = run.name.rpartition("/seed")
    counts = (1, 0, 0, 1, 0.0, {}, "english36", "hits", "samples")
    return Record(key, arm, int(seed), name, *counts, seconds, about)


def test_the_key_is_that_of_the_run_and_nothing_is_made(plan, runs):
    key = planned_key(plan[1])
    assert not runs.exists()
    cli = RecognizerCLI(["--name", "x", "--log=off", *plan[1].options], run=False)
    assert cli.results.run == key


def test_status_counts_what_tables_would_take_and_says_how_long_the_others_take(plan, runs):
    registry = Registry(runs)
    for run in (plan[0], plan[0], plan[3]):
        registry.append(record(run, planned_key(run)))
    registry.append(record(plan[1], "a configuration of the past"))
    lines = status_lines({"table9": plan, "figure2": [], "figure9": plan[:1]})
    assert lines == [
        "table9       2 of    6 runs done,    4 missing; about 6.0 h, one at a time",
        "figure2   nothing to train",
        "figure9      1 of    1 runs done,    0 missing",
        "together     2 of    6 runs done,    4 missing; about 6.0 h, one at a time",
    ]


def test_a_run_is_done_when_all_its_sets_are_scored(plan, runs, tmp_path, write_lmdb, monkeypatch):
    write_lmdb(tmp_path / "data" / "CUTE80", [(b"image", b"one")])
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "data"))
    run = Run(plan[0].name, plan[0].options, (Benchmarks(("CUTE80", "SVT")),))  # SVT is not there
    Registry(runs).append(record(run, planned_key(run)))
    assert " 0 of    1 runs done" in status_lines({"t": [run]})[0]
    Registry(runs).append(record(run, planned_key(run), name="CUTE80"))
    assert " 1 of    1 runs done" in status_lines({"t": [run]})[0]


def test_the_time_of_a_run_is_that_of_its_arm(plan, runs):
    registry = Registry(runs)
    registry.append(record(plan[0], planned_key(plan[0]), seconds=3600.0))
    registry.append(record(plan[3], planned_key(plan[3]), seconds=7200.0))
    assert "about 2.0 h" in status_lines({"ctc": plan[:3]})[0]
    assert "about 4.0 h" in status_lines({"dctc": plan[3:]})[0]


def test_only_times_of_the_kind_of_machine_at_hand_count(plan, runs, monkeypatch):
    registry, h100 = Registry(runs), "NVIDIA H100 80GB HBM3 (x86_64)"
    cores = "AMD EPYC, 1 thread (x86_64)"
    registry.append(record(plan[0], "key", seconds=3600.0, hardware=cores))
    # trained on a GPU, and tested on cores
    registry.append(record(plan[1], "key", seconds=360.0, hardware=cores, trained_on=h100))
    registry.append(record(plan[3], "key", seconds=720.0, hardware=h100))
    assert status_lines({"t": plan})[0].endswith("; about 6.0 h, one at a time, 3 guessed")
    assert status_lines({"t": plan[3:]})[0].endswith("missing; not known how long on CPU cores")
    monkeypatch.setattr("dctc.studies.status._on_gpu", lambda: True)
    assert status_lines({"t": plan})[0].endswith("; about 0.9 h, one at a time")


def test_what_is_planned_later_is_a_line_that_counts_nothing(plan):
    assert status_lines({"t": plan, "t later": "not counted: two losses"}) == [
        "t            0 of    6 runs done,    6 missing; not known how long on CPU cores",
        "t later   not counted: two losses",
        "together     0 of    6 runs done,    6 missing; not known how long on CPU cores",
    ]


def test_published_runs_say_how_long_those_take_that_nobody_did_here(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("dctc.studies.status.PUBLISHED", tmp_path / "published")
    assert "about" not in status_lines({"t": plan})[0]
    Registry(tmp_path / "published").append(record(plan[0], "key", seconds=1800.0))
    assert "about 3.0 h" in status_lines({"t": plan})[0]


def test_where_words_are_not_drawn_yet_what_was_scored_counts(plan, runs, tmp_path):
    folder = tmp_path / "words"
    run = Run(plan[0].name, (*plan[0].options, f"--data.init_args.stored={folder}"))
    assert planned_key(run) is None
    Registry(runs).append(record(run, "adopted"))
    assert " 1 of    1 runs done" in status_lines({"t": [run]})[0]
    folder.mkdir()
    Path(folder / RECIPE).write_text(json.dumps({"renderer": 3}))
    assert " 0 of    1 runs done" in status_lines({"t": [run]})[0]
