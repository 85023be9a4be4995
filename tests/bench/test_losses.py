"""``dctc bench --what losses`` at its smallest."""

from dctc.losses import every_loss


def test_ratios_to_ctc_are_printed(bench):
    printed, written = bench("losses")
    (row,), step = written["rows"], written["training"]
    ratios = []
    for part in (step, row):
        assert list(part["median_s"]) == list(part["peak_bytes"]) == list(every_loss(37, 1))
        for values in (part["median_s"], part["peak_bytes"]):
            assert all(value > 0 for value in values.values())
            ratios.append(values["enctc"] / values["ctc"])
    # two views of half the batch take the room of the batch
    assert 0.9 < step["peak_bytes"]["cr_ctc"] / step["peak_bytes"]["ctc"] < 1.5
    cells = [line.split()[1:] for line in printed.splitlines() if line.startswith("enctc ")]
    assert cells == [[f"{ratio:.2f}" for ratio in ratios[:3]]]
