"""Plots of comparisons: a dot for each run, an interval for each difference."""

import numpy as np
import pytest

from dctc.results.plots import PlotRow, draw_forest, draw_runs

ROWS = [
    PlotRow("CTC", [70.0, 72.0], [False, False]),
    PlotRow("DCTC", [73.0, 74.0, 75.0], [False, True, True], 3.0, 1.0, 5.0),
    PlotRow("one run", [60.0], [False], -11.0),
]


def lines(figure, marker):
    """Return the points of all lines of a marker."""
    (axes,) = figure.axes
    found = [line.get_xydata() for line in axes.get_lines() if line.get_marker() == marker]
    return np.concatenate(found)


def intervals(figure):
    (axes,) = figure.axes
    spans = [line for line in axes.get_lines() if line.get_solid_capstyle() == "butt"]
    return [tuple(line.get_xdata()) for line in spans if len(line.get_xdata()) == 2]


@pytest.mark.parametrize("draw", ["runs", "forest"])
def test_each_run_is_a_dot_and_each_difference_an_interval(draw, tmp_path):
    heading = [PlotRow("Accuracy", heading=True)]
    if draw == "runs":
        figure = draw_runs(ROWS, [70.0, 72.0], "percent", "Title")
        expected, vertical = (72.0, 76.0), 71.0  # around the arm's mean
    else:
        figure = draw_forest(heading + ROWS, "points")
        expected, vertical = (1.0, 5.0), 0.0
    (axes,) = figure.axes
    assert sorted(lines(figure, "o")[:, 0]) == [60.0, 70.0, 72.0, 73.0]
    assert sorted(lines(figure, "^")[:, 0]) == [74.0, 75.0]
    assert expected in intervals(figure)
    assert vertical in {x for line in axes.get_lines() for x in line.get_xdata()}
    assert {text.get_text() for text in axes.texts} == {"+3.00 [+1.00,+5.00]", "-11.00"}
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-3:] == ["CTC", "DCTC", "one run"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()][:2] == ["run (CPU)", "run (GPU)"]


def limits(figure):
    (axes,) = figure.axes
    return axes.get_xlim()


@pytest.mark.parametrize("far", [10.0, 95.0])
def test_an_arm_far_from_the_others_does_not_stretch_the_axis(far):
    near = [PlotRow("CTC", [70, 72], [False] * 2)]
    near += [PlotRow(f"a{i}", [71 + i], [True], i, i - 2, i + 2) for i in (-1, 1)]
    rows = [*near, PlotRow("far", [far], [False], far - 71, far - 72, far - 70)]
    both = (limits(draw_runs(drawn, [70, 72], "percent")) for drawn in (rows, near))
    assert next(both) == next(both)


def test_intervals_do_not_stretch_the_axis_of_differences_and_runs_do():
    rows = [PlotRow("heading", heading=True), PlotRow("a", [1.0, 3.0], [False] * 2, 2, -90, 94)]
    low, high = limits(draw_forest(rows, "points"))
    assert -1 < low < 0 and 3 < high < 4


def test_a_difference_far_from_the_others_does_not_stretch_the_axis_of_a_forest():
    rows = [PlotRow(f"row {x}", [], [], x, x - 1, x + 1) for x in (-1, 0.5, 1, 2, 40)]
    assert limits(draw_forest(rows, "points"))[1] < 4


def test_equal_runs_are_drawn():
    low, high = limits(draw_runs([PlotRow("CTC", [0.0], [False])], [0.0], "percent"))
    assert low < 0 < high
