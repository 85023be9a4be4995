"""Metrics of resumed runs are put together; curves are drawn from them."""

import pytest
from experiments.figures.curves import Panel, draw_curves, read_metrics

from experiments.figures import COLOURS

PANELS = (Panel("loss", "CTC loss", "nats per word", log=True), Panel("acc", "Accuracy", "share"))


def write_metrics(folder, name, *rows, end=""):
    lines = ["epoch,loss,step,acc", *rows, end]
    (folder / name).write_bytes("\r\n".join(lines).encode())


def test_metrics_of_a_run_in_one_part_and_of_none(tmp_path):
    assert read_metrics(tmp_path) == {}
    write_metrics(tmp_path, "metrics.csv", "0,2.5,0,", "0,,0,0.5", "0,1.5,10,")
    assert read_metrics(tmp_path) == {"loss": ([0, 10], [2.5, 1.5]), "acc": ([0], [0.5])}


def test_of_parts_that_overlap_the_later_one_counts(tmp_path):
    """As numbers: part 10 comes after part 9, and metrics.csv after all."""
    for part in range(1, 12):
        rows = [f"0,{100 + part},{step}," for step in (10 * part, 10 * part + 10)]
        write_metrics(tmp_path, f"metrics.{part}.csv", *rows)
    write_metrics(tmp_path, "metrics.csv", "0,7,120,")
    write_metrics(tmp_path, "metrics.old.csv", "0,9,120,")  # not one of ours
    steps, values = read_metrics(tmp_path)["loss"]
    assert (steps, values) == ([*range(10, 130, 10)], [*range(101, 112), 7])


@pytest.mark.parametrize("left", ["0,0.1", "0,0.1,2", "0,0.1,20", "0,0.1,20,0.9"])
def test_an_incomplete_last_line_is_skipped(tmp_path, left):
    write_metrics(tmp_path, "metrics.1.csv", "0,2.5,10,", end=left)
    write_metrics(tmp_path, "metrics.csv", "0,1.5,30,")
    assert read_metrics(tmp_path) == {"loss": ([10, 30], [2.5, 1.5])}


def curves(n):
    steps = list(range(0, 10 * n, 10))
    return {"loss": (steps, [2.0] * n), "acc": (steps, [0.5] * n)}


@pytest.mark.filterwarnings("error")
def test_a_panel_for_each_metric_and_a_line_for_each_arm():
    figure = draw_curves({"CTC": curves(1), "DCTC": curves(30)}, PANELS)
    figure.draw_without_rendering()
    assert [axes.get_title() for axes in figure.axes] == ["CTC loss", "Accuracy"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per word", "share"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    for axes in figure.axes:
        one, many = axes.lines
        assert [one.get_color(), many.get_color()] == [*COLOURS[:2]]
        assert (one.get_marker(), many.get_marker()) == ("o", "None")  # a single point is seen
        assert many.get_xdata()[-1] == 290
    assert [text.get_text() for text in figure.legends[0].texts] == ["CTC", "DCTC"]


def test_an_arm_keeps_its_colour_whatever_is_missing():
    arms = {"CTC": {"acc": ([0], [0.5])}, "none": {}, "DCTC": curves(2)}
    (legend,) = draw_curves(arms, PANELS).legends
    assert [text.get_text() for text in legend.texts] == ["CTC", "DCTC"]
    assert [line.get_color() for line in legend.legend_handles] == [COLOURS[0], COLOURS[2]]
    (axes,) = draw_curves({"CTC": arms["CTC"]}, PANELS).axes  # no panel of a metric without data
    assert axes.get_title() == "Accuracy"
