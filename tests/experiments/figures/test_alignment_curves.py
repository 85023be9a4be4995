"""Figure 3's arrays and its drawing."""

import numpy as np
import pytest
from experiments.figures.alignment_curves import (
    METRICS,
    curve_arrays,
    draw_alignment_curves,
    last_values,
)
from experiments.figures.published import load_arrays, save_arrays

from dctc.ctc import ESTIMATORS
from dctc.training.callbacks import METRICS as LOGGED


def logged(level, steps=(0, 20, 40)):
    """Metrics of a run: ``level`` plus a tenth for each estimator."""
    return {
        f"train/{metric}/{name}": (list(steps), [level + 0.1 * e] * len(steps))
        for metric in METRICS
        for e, name in enumerate(ESTIMATORS)
    }


def test_arrays_by_arm_seed_metric_and_estimator():
    assert tuple(METRICS) == LOGGED
    arrays = curve_arrays({"CTC": [logged(0.1), logged(0.3)], "DCTC": [logged(0.5), logged(0.6)]})
    assert arrays["values"].shape == (2, 2, 3, 4, 3)
    assert arrays["steps"].tolist() == [0, 20, 40]
    np.testing.assert_allclose(arrays["values"][0, 1, :, 2], 0.5, rtol=1e-6)
    rows = last_values(arrays).rows
    assert rows[0] == ["CTC", "likelihood", "20.00", "20.00", "20.00"]
    assert rows[7] == ["DCTC", "greedy", "85.00", "85.00", "85.00"]
    # t with two degrees of freedom is 4.303, times 11.18: variances of 200 and 50, two seeds each
    assert rows[8] == ["DCTC - CTC", "likelihood", *["+35.00 [-13.11,+83.11]"] * 3]
    assert len(rows) == 12


def test_a_run_that_did_not_log_it_is_named():
    short = logged(0.1, steps=(0, 20))
    with pytest.raises(ValueError, match=r"DCTC, run 1: train/aacc_label/likelihood .* 2 steps"):
        curve_arrays({"CTC": [logged(0.1)], "DCTC": [short]})
    with pytest.raises(ValueError, match="train it with an EstimatorLog"):
        curve_arrays({"CTC": [{}]})


@pytest.mark.parametrize(("points", "seeds"), [(1, 1), (3, 2), (150, 2)])
def test_figure_3_is_drawn_and_marks_what_is_constant(tmp_path, points, seeds):
    steps = range(0, 20 * points, 20)
    arms = {arm: [logged(0.1 * s, steps) for s in range(seeds)] for arm in ("CTC", "DCTC")}
    stored = load_arrays(save_arrays(curve_arrays(arms), tmp_path / "figure3.npz"))
    figure = draw_alignment_curves(stored)
    figure.savefig(tmp_path / "figure3.png")
    marked = [
        any("1 by construction" in text.get_text() for text in axes.texts) for axes in figure.axes
    ]
    assert marked == [True, False, True] * 2  # aacc_label and viterbi_agreement, in both rows
