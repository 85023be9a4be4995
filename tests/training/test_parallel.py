import os

import pytest

from dctc.training.parallel import execute_all
from dctc.training.runs import Run, _alone
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
    with _alone(folder / "a" / "busy"):
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
