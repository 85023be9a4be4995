"""Benchmarks write into a folder of their own, and leave torch's threads as they were."""

import json

import pytest
import torch

from dctc.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs; there is no data."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "none"))
    monkeypatch.setenv("COLUMNS", "80")
    threads = torch.get_num_threads()
    yield tmp_path / "runs"
    torch.set_num_threads(threads)


@pytest.fixture
def bench(runs, capsys):
    """Run ``dctc bench`` at its smallest; returns what it printed and what it wrote."""

    def call(what, *options):
        main(["bench", "--what", what, "--scale", "tiny", "--threads", "1", *options])
        printed, file = capsys.readouterr().out, runs / "bench" / f"{what}.json"
        assert str(file) in printed.replace("\n", "")
        assert max(len(line) for line in printed.splitlines() if str(file) not in line) <= 80
        written = json.loads(file.read_text())
        assert {"versions", "hardware", "commit"} <= set(written)
        return printed, written

    return call
