"""``dctc bench --what losses`` at its smallest."""

import inspect
import json

import pytest
import torch

import dctc.losses
from dctc.bench.losses import make_losses, read_costs
from dctc.cli import main


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    threads = torch.get_num_threads()
    yield tmp_path / "runs"
    torch.set_num_threads(threads)


def test_every_loss_for_ctc_is_timed():
    timed = {type(loss).__name__ for loss in make_losses(5).values()}
    every = {name for name in dctc.losses.__all__ if inspect.isclass(getattr(dctc.losses, name))}
    assert timed == every - {"RegularizedTerms"}


def test_ratios_to_ctc_are_printed_and_can_be_read_back(runs, capsys):
    assert read_costs() == {}
    main(["bench", "--what", "losses", "--scale", "tiny", "--threads", "1"])
    (row,) = json.loads((runs / "bench" / "losses.json").read_text())["rows"]
    assert list(row["median_s"]) == list(row["peak_bytes"]) == list(make_losses(37))
    assert all(0 < value < 60 for value in row["median_s"].values())
    costs = read_costs()
    assert costs["ctc"] == (1.0, 1.0)
    time, memory = costs["enctc"]
    assert time == row["median_s"]["enctc"] / row["median_s"]["ctc"]
    assert memory == row["peak_bytes"]["enctc"] / row["peak_bytes"]["ctc"]
    cells = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("enctc ")).split()
    assert cells == ["enctc", f"{time:.2f}", f"{memory:.2f}"]
