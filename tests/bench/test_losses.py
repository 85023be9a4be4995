"""``dctc bench --what losses`` at its smallest."""

import inspect

import dctc.losses
from dctc.bench.losses import make_losses, read_costs


def test_every_loss_for_ctc_is_timed():
    timed = {type(loss).__name__ for loss in make_losses(5).values()}
    every = {name for name in dctc.losses.__all__ if inspect.isclass(getattr(dctc.losses, name))}
    assert timed == every - {"RegularizedTerms"}


def test_ratios_to_ctc_are_printed_and_can_be_read_back(bench, runs, monkeypatch):
    assert read_costs(runs) == {}
    printed, written = bench("losses")
    (row,), step = written["rows"], written["training"]
    ratios = []
    for part in (step, row):
        assert list(part["median_s"]) == list(part["peak_bytes"]) == list(make_losses(37))
        for values in (part["median_s"], part["peak_bytes"]):
            assert all(value > 0 for value in values.values())
            ratios.append(values["enctc"] / values["ctc"])
    costs = read_costs(runs)
    assert costs["ctc"] == (1.0, 1.0, 1.0) and costs["enctc"] == tuple(ratios[:3])
    # two views of half the batch take the room of the batch
    assert 0.9 < costs["cr_ctc"].step_memory < 1.5
    cells = [line.split()[1:] for line in printed.splitlines() if line.startswith("enctc ")]
    assert cells == [[f"{ratio:.2f}" for ratio in ratios]]
