"""Many runs, in processes of their own."""

import multiprocessing
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from dctc.results.registry import Registry
from dctc.studies import parallel
from dctc.studies.parallel import (
    Outcome,
    _gpus,
    _missing,
    _on,
    _said_left,
    execute_all,
    finish_all,
    report_problems,
)
from dctc.studies.study import Run
from scripts import execute_here
from tiny import config, held_by_another


@pytest.fixture(autouse=True)
def one_thread(monkeypatch, runs):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # execute_all sets it for good


class Fork:
    """In the place of the context that spawns: workers begin as copies of this process.

    It has imported all that runs need, which takes a new process seconds.
    """

    def __init__(self):
        self.fork, self.ends = multiprocessing.get_context("fork"), []

    def Pipe(self):
        ours, theirs = self.fork.Pipe()
        self.ends.append(ours)
        return ours, theirs

    def Process(self, target, args):
        return self.fork.Process(target=self.begin, args=(target, args))

    def begin(self, target, args):
        for end in self.ends:  # of which a new process has no copy
            end.close()
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)
        target(*args)


@pytest.fixture
def forked(monkeypatch):
    # autograd's threads for GPUs outlive no fork, nor do macOS's frameworks
    if sys.platform == "linux" and not torch.cuda.is_available():
        monkeypatch.setattr(parallel, "_SPAWN", Fork())


def changed(run, name, **changes):
    """Return a run under another name."""
    return replace(run, name=f"t/{name}/seed0", arm=f"t/{name}", **changes)


def callback(name, **init_args):
    return {"trainer.callbacks": [{"class_path": f"tiny.{name}", "init_args": init_args}]}


LINE = r"\[\d/5\] t/good/seed0: rendered [\d,]+ of 5 right \(\d+ s\)(; about \d+ min left)?"


def test_one_that_fails_dies_or_is_busy_stops_no_other(forked, plain, tmp_path, runs, capfd):
    own = config("english")
    own["data"] = {"class_path": "tiny.NoiseData"}  # which has no num_workers to be set to zero
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(own))
    runs_of = [
        changed(plain, "wrong", set={"no_such_option": 1}),
        changed(plain, "dies", set=callback("Kill", step=1)),
        changed(plain, "busy"),
        changed(plain, "good", diagnosed=True),
        changed(plain, "own", configs=(tmp_path / "own.yaml",)),
    ]
    with held_by_another(runs / "t" / "busy" / "seed0"):
        found = execute_all(runs_of, jobs=2)
    outcomes = {run.arm: found[run.name] for run in runs_of}
    good, busy = outcomes["t/good"], outcomes["t/busy"]
    assert list(good.records) == ["rendered"] and not good.problem
    assert "alignment" in good.records["rendered"].about
    assert list(outcomes["t/own"].records) == ["rendered"]
    assert "ended with code -9" in outcomes["t/dies"].problem
    assert outcomes["t/wrong"].problem and not outcomes["t/wrong"].records
    assert busy.busy and "another process" in busy.problem
    printed = capfd.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("[")]
    assert [line[:5] for line in lines] == [f"[{i}/5]" for i in range(1, 6)]
    (line,) = (line for line in lines if "t/good" in line)
    assert re.fullmatch(LINE, line) and "max_steps" not in printed
    assert "no_such_option" in (runs / "t" / "wrong" / "seed0.log").read_text()
    assert report_problems(found) == 2  # one that another process is at is no failure
    said = capfd.readouterr().out
    assert "not yet: t/busy/seed0: " in said and said.count("FAILED: ") == 2


def test_minutes_left_are_those_of_missing_runs(plain, runs, record):
    runs_of = [changed(plain, name) for name in "abcd"]
    Registry(runs).append(record(arm="t/c", seed=runs_of[0].seed))
    missing = _missing(runs_of, net=False)
    assert missing == {"t/a/seed0", "t/b/seed0", "t/d/seed0"}
    assert _missing(runs_of, net=True) == missing | {"t/c/seed0"}
    done = {"t/c/seed0": Outcome({})}
    assert _said_left(missing, done, 60) == ""  # nothing has been trained yet
    assert _said_left(missing, done | {"t/a/seed0": Outcome({})}, 600) == "; about 20 min left"
    failed = {name: Outcome({}, "RuntimeError: broken") for name in missing}
    assert _said_left(missing, failed, 600) == ""


def test_nets_that_are_needed(plain, monkeypatch, capsys):
    monkeypatch.setattr(parallel, "execute_all", execute_here)
    runs_of = [changed(plain, "one"), changed(plain, "two", set={"trainer.max_steps": 1})]
    finished = finish_all(runs_of, 1, "off")
    assert [one.run for one in finished] == runs_of
    assert all((one.folder / "checkpoints" / "final.ckpt").exists() for one in finished)
    failed = {plain.name: Outcome({}, "RuntimeError: broken")}
    monkeypatch.setattr(parallel, "execute_all", lambda *_, **__: failed)
    with pytest.raises(SystemExit):
        finish_all([plain], 1, "off")
    assert "FAILED: t/one/seed0: RuntimeError: broken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("named", "count", "expected"),
    [(None, 0, [""]), (None, 2, ["0", "1"]), ("2,3", 4, ["2", "3"]), ("", 4, [""])],
)
def test_gpus_are_those_that_may_be_used(monkeypatch, named, count, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert _gpus() == expected
    with _on(expected[-1]):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == expected[-1]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == named


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_trainings_are_spread_over_the_gpus_and_end_with_sigterm(plain, monkeypatch, runs):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,8")
    endless = {"trainer.max_steps": 1000000, **callback("SaysGpu")}
    names = ("one", "two")
    runs_of = [Run(name, name, 0, plain.configs, endless) for name in names]
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=execute_all, args=(runs_of, 2))
    process.start()
    checkpoints = [runs / name / "checkpoints" / "last.ckpt" for name in names]
    deadline = time.monotonic() + 600
    while not all(file.exists() for file in checkpoints) and time.monotonic() < deadline:
        time.sleep(0.1)
    tasks = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    started = [int(child) for child in tasks.read_text().split()]
    process.terminate()
    process.join(60)
    assert process.exitcode == 143
    assert len(started) >= 2
    logs = [(runs / f"{name}.log").read_text() for name in names]
    assert sorted(log.split("sees GPU ")[1].split()[0] for log in logs) == ["7", "8"]
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in started):
        assert time.monotonic() < deadline, f"still there: {started}"
        time.sleep(0.1)
