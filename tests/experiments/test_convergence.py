import numpy as np
import pytest
from experiments.tables.convergence import convergence_table, read_accuracy
from experiments.tables.publishing import thin_metrics
from scipy import stats

from dctc.results.comparison import Row
from dctc.results.power import detectable_over_seeds


@pytest.fixture
def row(record):
    def make(arm, seeds):
        of_seeds = {seed: record(arm=arm, seed=seed, run=f"{arm}{seed}") for seed in seeds}
        return Row(arm, arm.upper(), "", of_seeds, {})

    return make


@pytest.fixture
def publish_curve(tmp_path):
    def write(arm, seed, values):
        curves = {"val/accuracy": ([99, 199], values), "train/loss": ([49], [1.0])}
        (tmp_path / "metrics").mkdir(exist_ok=True)
        (tmp_path / "metrics" / f"{arm}{seed}.csv").write_text(thin_metrics(curves))

    return write


def test_each_step_is_compared_over_the_seeds_that_have_curves(tmp_path, row, publish_curve):
    ctc, dctc = np.array([[0.5, 0.75], [0.25, 0.75]]), np.array([[0.5, 0.875], [0.5, 1.0]])
    for seed in range(2):
        publish_curve("ctc", seed, ctc[seed].tolist())
        publish_curve("dctc", seed, dctc[seed].tolist())
    publish_curve("ctc", 2, [0.0, 0.0])  # seed 2 lacks the other curve, seed 3 both
    rows = row("ctc", range(4)), row("dctc", range(4))
    table = convergence_table("T", tmp_path, *rows, ["The end."])
    assert table.columns == ["steps", "CTC", "DCTC", "difference ± t", "p", "detectable"]
    assert [cells[:3] for cells in table.rows] == [
        ["100", "37.50", "50.00"],
        ["200", "75.00", "93.75"],
    ]
    p = [stats.ttest_rel(dctc[:, i], ctc[:, i]).pvalue for i in range(2)]
    smaller, larger = sorted(p)  # Holm: twice the smaller, and no less for the larger
    corrected = {smaller: min(1, 2 * smaller), larger: max(min(1, 2 * smaller), larger)}
    assert [cells[4] for cells in table.rows] == [f"{corrected[x]:.3f}" for x in p]
    low, high = stats.ttest_rel(dctc[:, 1], ctc[:, 1]).confidence_interval(0.95)
    assert table.rows[1][3] == f"+18.75 ± {100 * (high - low) / 2:.2f}"
    # 2 seeds: the effect found with 80 % by the noncentral t
    least = [detectable_over_seeds(100 * (dctc - ctc)[:, i]) for i in range(2)]
    assert [cells[5] for cells in table.rows] == [f"{x:.2f}" for x in least]
    assert "few seeds leave uncertain" in table.notes[1]
    assert "2 seeds" in table.notes[0] and table.notes[-1] == "The end."


def test_a_step_whose_seeds_differ_by_nothing_has_no_test_and_does_not_count(
    tmp_path, row, publish_curve
):
    ctc, dctc = np.array([[0.5, 0.7], [0.3, 0.6]]), np.array([[0.7, 0.8], [0.5, 0.9]])
    for seed in range(2):
        publish_curve("ctc", seed, ctc[seed].tolist())
        publish_curve("dctc", seed, dctc[seed].tolist())
    table = convergence_table("T", tmp_path, row("ctc", range(2)), row("dctc", range(2)))
    assert table.rows[0][3:] == ["+20.00", "-", "-"]  # .7 - .5 and .5 - .3 differ by rounding
    assert table.rows[1][4] == f"{stats.ttest_rel(dctc[:, 1], ctc[:, 1]).pvalue:.3f}"


def test_one_seed_makes_no_table(tmp_path, row, publish_curve):
    for arm in ("ctc", "dctc"):
        publish_curve(arm, 0, [0.5, 0.75])
    assert convergence_table("T", tmp_path, row("ctc", [0]), row("dctc", [0, 1])) is None


def test_curves_of_a_folder_count_for_its_own_run_only(tmp_path, record):
    folder = tmp_path / "ctc" / "seed0"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("step,val/accuracy\n99,0.5\n")
    found = record(arm="ctc", seed=0, run="aa")
    assert read_accuracy(tmp_path, found) == {}
    (folder / "run_key").write_text("bb\n")
    assert read_accuracy(tmp_path, found) == {}
    (folder / "run_key").write_text("aa\n")
    assert read_accuracy(tmp_path, found) == {99: 0.5}
