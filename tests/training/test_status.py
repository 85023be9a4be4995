import json
from pathlib import Path

import pytest

from dctc.data.writer import RECIPE
from dctc.reporting.registry import Record, Registry
from dctc.training.cli import RecognizerCLI
from dctc.training.real_words import Benchmarks
from dctc.training.runs import Run
from dctc.training.status import planned_key, status_lines
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


def record(run, key, seconds=5400.0, name="rendered"):
    arm, _, seed = run.name.rpartition("/seed")
    return Record(
        *(key, arm, int(seed), name, 1, 0, 0, 1, 0.0, {}, "english36", "hits", "samples", seconds)
    )


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


def test_a_run_is_done_when_all_its_sets_are_scored(plan, runs):
    run = Run(plan[0].name, plan[0].options, (Benchmarks(("CUTE80",)),))
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


def test_published_runs_say_how_long_those_take_that_nobody_did_here(plan, tmp_path, monkeypatch):
    monkeypatch.setattr("dctc.training.status.PUBLISHED", tmp_path / "published")
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
