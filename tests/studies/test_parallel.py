import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dctc.files import Busy
from dctc.studies.parallel import _gpus, _on, execute_all, finish_all
from dctc.studies.runner import Run, execute
from dctc.training.run_folder import alone
from tiny import config, write_config

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("runs")]


def test_one_that_fails_dies_or_is_busy_stops_no_other(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    good = write_config(tmp_path / "good.yaml", config())
    dies = config()
    dies["trainer"]["callbacks"] = [{"class_path": "tiny.Kill", "init_args": {"step": 1}}]
    runs = [
        Run("a/wrong", (good, "--data.init_args.max_length=-1", "--no_such_option=1")),
        Run("a/dies", (write_config(tmp_path / "dies.yaml", dies),)),
        Run("a/busy", (good,)),
        Run("a/good", (good,), diagnosed=True),
    ]
    folder = tmp_path / "runs"
    with alone(folder / "a" / "busy"):
        found = execute_all(runs, jobs=2)
    assert list(found["a/good"].records) == ["rendered"]
    assert "alignment" in found["a/good"].records["rendered"].about
    assert not found["a/good"].problem
    assert "ended with code -9" in found["a/dies"].problem
    assert found["a/wrong"].problem and not found["a/wrong"].records
    assert found["a/busy"].busy and "another process" in found["a/busy"].problem
    assert not any(found[name].busy for name in ("a/wrong", "a/dies", "a/good"))
    printed = capfd.readouterr().out
    assert "a/good: rendered" in printed and "max_steps" not in printed
    assert "`max_steps=2` reached" in (folder / "a" / "good.log").read_text()
    assert "no_such_option" in (folder / "a" / "wrong.log").read_text()
    again = execute_all(runs[-1:], jobs=1)
    assert again["a/good"].records == found["a/good"].records
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.parametrize(
    ("named", "count", "expected"),
    [(None, 0, [""]), (None, 2, ["0", "1"]), ("2,3", 4, ["2", "3"]), ("", 4, [""])],
)
def test_gpus_are_those_that_may_be_used(monkeypatch, named, count, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert _gpus() == expected
    with _on(expected[-1]):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == expected[-1]
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == named


def test_trainings_are_spread_over_the_gpus(tmp_path, runs, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7,8")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    says = config()
    says["trainer"]["callbacks"] = [{"class_path": "tiny.SaysGpu"}]
    option = write_config(tmp_path / "says.yaml", says)
    names = ("a/one", "a/two")
    # not the same run, which the second would find done if it began late
    runs_of = [Run(n, (option, f"--seed_everything={i}")) for i, n in enumerate(names)]
    assert not any(o.problem for o in execute_all(runs_of, 2).values())
    logs = [(runs / f"{name}.log").read_text() for name in names]
    assert sorted(log.split("sees GPU ")[1].split()[0] for log in logs) == ["7", "8"]


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_sigterm_leaves_no_training_behind(tmp_path, runs):
    endless = write_config(tmp_path / "endless.yaml", config())
    program = (
        "from dctc.studies.parallel import execute_all\n"
        "from dctc.studies.runner import Run\n"
        "if __name__ == '__main__':\n"
        f"    options = ({endless!r}, '--trainer.max_steps=1000000')\n"
        "    execute_all([Run('a/one', options), Run('a/two', options)], jobs=2)\n"
    )
    (tmp_path / "program.py").write_text(program)
    here = Path(__file__).parents[1]
    paths = os.pathsep.join([str(here.parent / "src"), str(here)])
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen([sys.executable, str(tmp_path / "program.py")], env=environment)
    checkpoints = [runs / "a" / name / "checkpoints" / "last.ckpt" for name in ("one", "two")]
    deadline = time.monotonic() + 120
    while not all(file.exists() for file in checkpoints) and time.monotonic() < deadline:
        time.sleep(0.1)
    started = children(process.pid)
    process.terminate()
    assert process.wait(timeout=60) == 143
    assert len(started) >= 2
    for _ in range(100):
        if not any(Path(f"/proc/{pid}").exists() for pid in started):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {started}")


def test_a_net_that_is_needed_is_waited_for(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dctc.studies.parallel._WAIT_S", 0.05)
    run = Run("a/one", (write_config(tmp_path / "one.yaml", config()),))
    monkeypatch.setattr("dctc.studies.parallel.execute", busy_twice(execute))
    (finished,) = finish_all([run], 1, "off")
    assert list(finished.records) == ["rendered"]
    assert capsys.readouterr().out.count("waiting for it") == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_nets_that_are_needed_are_counted(tmp_path, monkeypatch, capsys, jobs):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    option = write_config(tmp_path / "one.yaml", config())
    runs = [Run("a/one", (option,)), Run("a/two", (option, "--trainer.max_steps=1"))]
    finished = finish_all(runs, jobs, "off")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    first, last = (re.fullmatch(LINE, line) for line in lines)
    assert (first[1], last[1]) == ("1", "2") and first[3] and not last[3]
    assert {first[2], last[2]} == {run.name for run in runs}
    assert [one.run for one in finished] == runs


LINE = r"\[(\d)/2\] (\S+): rendered [\d,]+ of [\d,]+ right \(\d+ s\)(; about \d+ min left)?"


def busy_twice(execute):
    calls = iter((True, True, False))

    def answer(*arguments):
        if next(calls):
            raise Busy("a/one: another process is at this run")
        return execute(*arguments)

    return answer
