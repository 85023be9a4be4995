"""``dctc bench --what losses`` at its smallest."""

from dctc.bench.losses import read_costs
from dctc.losses import every_loss


def test_ratios_to_ctc_are_printed_and_can_be_read_back(bench, runs, monkeypatch):
    assert read_costs(runs) == {}
    printed, written = bench("losses")
    (row,), step = written["rows"], written["training"]
    ratios = []
    for part in (step, row):
        assert list(part["median_s"]) == list(part["peak_bytes"]) == list(every_loss(37, 1))
        for values in (part["median_s"], part["peak_bytes"]):
            assert all(value > 0 for value in values.values())
            ratios.append(values["enctc"] / values["ctc"])
    costs = read_costs(runs)
    assert costs["ctc"] == (1.0, 1.0, 1.0) and costs["enctc"] == tuple(ratios[:3])
    # two views of half the batch take the room of the batch
    assert 0.9 < costs["cr_ctc"].step_memory < 1.5
    cells = [line.split()[1:] for line in printed.splitlines() if line.startswith("enctc ")]
    assert cells == [[f"{ratio:.2f}" for ratio in ratios]]
