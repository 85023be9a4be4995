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
    assert read_costs(runs) == {}
    main(["bench", "--what", "losses", "--scale", "tiny", "--threads", "1"])
    measured = json.loads((runs / "bench" / "losses.json").read_text())
    (row,), step = measured["rows"], measured["training"]
    for part in (row, step):
        assert list(part["median_s"]) == list(part["peak_bytes"]) == list(make_losses(37))
        assert all(0 < value < 60 for value in part["median_s"].values())
        assert all(value > 0 for value in part["peak_bytes"].values())
    costs = read_costs(runs)
    assert costs["ctc"] == (1.0, 1.0, 1.0)
    alone = row["median_s"]["enctc"] / row["median_s"]["ctc"]
    time = step["median_s"]["enctc"] / step["median_s"]["ctc"]
    memory = step["peak_bytes"]["enctc"] / step["peak_bytes"]["ctc"]
    # two views of half the batch take the room of the batch
    assert 0.9 < costs["cr_ctc"].step_memory < 1.5
    assert costs["enctc"] == (time, memory, alone)
    lines = capsys.readouterr().out.splitlines()
    cells = [line.split()[1:] for line in lines if line.startswith("enctc ")]
    of_loss = row["peak_bytes"]["enctc"] / row["peak_bytes"]["ctc"]
    assert cells == [[f"{alone:.2f}", f"{of_loss:.2f}"], [f"{time:.2f}", f"{memory:.2f}"]]
