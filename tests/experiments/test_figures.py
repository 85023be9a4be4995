"""Metrics of resumed runs are put together; figures are drawn and hold what they should."""

import warnings

import numpy as np
import pytest
from experiments.figures.figures import (
    COLOURS,
    Panel,
    Reading,
    draw_curves,
    draw_readings,
    read_metrics,
)
from matplotlib.figure import Figure
from matplotlib.image import imread

PANELS = (Panel("loss", "CTC loss", "nats per word", log=True), Panel("acc", "Accuracy", "share"))


def write_metrics(folder, name, rows, head="epoch,loss,step,acc"):
    (folder / name).write_bytes("\r\n".join([head, *rows, ""]).encode())


def test_a_run_in_one_part(tmp_path):
    write_metrics(tmp_path, "metrics.csv", ["0,2.5,0,", "0,,0,0.5", "0,1.5,10,"])
    assert read_metrics(tmp_path) == {"loss": ([0, 10], [2.5, 1.5]), "acc": ([0], [0.5])}


def test_no_metrics(tmp_path):
    assert read_metrics(tmp_path) == {}


def test_of_parts_that_overlap_the_later_one_counts(tmp_path):
    """As numbers: part 10 comes after part 9, and metrics.csv after all."""
    for part in range(1, 12):
        rows = [f"0,{100 + part},{step}," for step in (10 * part, 10 * part + 10)]
        write_metrics(tmp_path, f"metrics.{part}.csv", rows)
    write_metrics(tmp_path, "metrics.csv", ["0,7,120,"])
    write_metrics(tmp_path, "metrics.old.csv", ["0,9,120,"])  # not one of ours
    steps, values = read_metrics(tmp_path)["loss"]
    assert steps == [*range(10, 130, 10)]
    assert values == [*range(101, 112), 7]


@pytest.mark.parametrize("left", ["0,0.1", "0,0.1,2", "0,0.1,20", "0,0.1,20,0.9"])
def test_a_line_that_a_killed_run_left_unfinished_is_not_read(tmp_path, left):
    write_metrics(tmp_path, "metrics.1.csv", ["0,2.5,10,"])
    with open(tmp_path / "metrics.1.csv", "a") as stream:
        stream.write(left)
    write_metrics(tmp_path, "metrics.csv", ["0,1.5,30,"])
    assert read_metrics(tmp_path) == {"loss": ([10, 30], [2.5, 1.5])}


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved; drawing must not warn."""
    saved = []
    save = Figure.savefig

    def keep(figure, *args, **options):
        saved.append(figure)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            save(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def curves(n):
    steps = list(range(0, 10 * n, 10))
    return {"loss": (steps, [2.0] * n), "acc": (steps, [0.5] * n)}


def assert_is_png(file, width=None):
    image = imread(file)
    assert image[..., :3].std() > 0  # not one colour
    if width:
        assert image.shape[1] == width


def test_curves(tmp_path, figures):
    draw_curves({"CTC": curves(30), "DCTC": curves(30)}, PANELS, tmp_path / "curves.png")
    assert_is_png(tmp_path / "curves.png", width=2 * 540)
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes] == ["CTC loss", "Accuracy"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["nats per word", "share"]
    assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear"]
    for axes in figure.axes:
        assert [line.get_color() for line in axes.lines] == [*COLOURS[:2]]
        assert all(line.get_xdata()[-1] == 290 for line in axes.lines)
    assert [text.get_text() for text in figure.legends[0].texts] == ["CTC", "DCTC"]


def test_a_curve_of_one_point_can_be_seen(tmp_path, figures):
    draw_curves({"CTC": curves(1), "DCTC": curves(30)}, PANELS, tmp_path / "curves.png")
    one, many = figures[0].axes[0].lines
    assert one.get_marker() == "o"
    assert many.get_marker() == "None"


def test_the_legend_names_arms_that_the_first_panel_lacks(tmp_path, figures):
    arms = {"CTC": {"acc": ([0], [0.5])}, "none": {}, "DCTC": curves(2)}
    draw_curves(arms, PANELS, tmp_path / "curves.svg")
    (figure,) = figures
    handles = figure.legends[0].legend_handles
    assert [text.get_text() for text in figure.legends[0].texts] == ["CTC", "DCTC"]
    # an arm keeps its colour, whoever else is missing
    assert [line.get_color() for line in handles] == [COLOURS[0], COLOURS[2]]
    assert (tmp_path / "curves.svg").read_text().lstrip().startswith("<?xml")


def test_a_panel_without_data_is_left_out(tmp_path, figures):
    draw_curves({"CTC": {"acc": ([0], [0.5])}}, PANELS, tmp_path / "curves.png")
    assert [axes.get_title() for axes in figures[0].axes] == ["Accuracy"]


@pytest.mark.parametrize("arms", [{}, {"CTC": {}}])
def test_curves_of_nothing_say_so(tmp_path, figures, arms):
    draw_curves(arms, PANELS, tmp_path / "curves.png")
    assert_is_png(tmp_path / "curves.png")
    assert texts(figures[0]) == ["No metrics were logged."]


def test_every_arm_is_drawn_in_a_colour_of_its_own(tmp_path, figures):
    arms = {f"arm {i}": curves(2) for i in range(7)}
    draw_curves(arms, PANELS, tmp_path / "curves.png")
    assert len({line.get_color() for line in figures[0].axes[0].lines}) == 7
    with pytest.raises(ValueError, match="8 arms, but only 7 colours"):
        draw_curves({**arms, "one more": {}}, PANELS, tmp_path / "curves.png")


def text_objects(figure):
    """The texts of a sheet; tick labels are none of them."""
    found = list(figure.texts)  # the heading is one of them
    for axes in figure.axes:
        found += [axes.title, axes._left_title, axes._right_title, *axes.texts]
    return [text for text in found if text.get_text()]


def texts(figure):
    return [text.get_text() for text in text_objects(figure)]


def reading(label, *predictions, channels=3):
    image = np.random.default_rng(0).integers(0, 256, (32, 128, channels), dtype=np.uint8)
    return Reading(image, label, predictions)


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_readings(tmp_path, figures, suffix, channels):
    file = tmp_path / f"sheet.{suffix}"
    rows = [reading("cat", "cat", "cut", channels=channels)] * 5
    draw_readings(rows, ("CTC", "DCTC"), "Held-out", file)
    if suffix == "png":
        assert_is_png(file, width=4 * 375)
    (figure,) = figures
    assert len(figure.axes) == 8
    assert texts(figure)[:1] == ["Held-out"]
    assert sorted(texts(figure)[1:]) == sorted(["cat", "CTC: cat", "DCTC: cut"] * 5)
    right, wrong = figure.axes[0].texts
    assert (right.get_color(), wrong.get_color()) == (COLOURS[0], COLOURS[1])


def test_what_was_not_read_and_what_is_long(tmp_path, figures):
    draw_readings([reading("w" * 50, "", "v" * 50)], ("CTC", "DCTC"), "T", tmp_path / "s.png")
    found = texts(figures[0])
    assert "CTC: (nothing)" in found
    assert f"DCTC: {'v' * 21}..." in found  # the beginning is kept
    assert f"{'w' * 27}..." in found


def test_a_dollar_sign_is_a_dollar_sign(tmp_path, figures):
    odd = r"$\frac{$"
    draw_readings([reading(odd, odd)], ("CTC",), odd, tmp_path / "s.png")
    assert texts(figures[0]) == [odd, odd, f"CTC: {odd}"]


def test_no_readings_say_so(tmp_path, figures):
    draw_readings([], ("CTC", "DCTC"), "Held-out", tmp_path / "s.png")
    assert_is_png(tmp_path / "s.png")
    assert texts(figures[0]) == ["Held-out: no readings to show."]


@pytest.mark.parametrize(("n", "arms"), [(1, 1), (2, 4), (1, 2), (9, 2), (9, 3)])
def test_texts_do_not_overlap_and_are_not_cut(tmp_path, figures, n, arms):
    names = [f"arm{i}" for i in range(arms)]
    rows = [reading("Wg" * 20, *["Mj" * 20] * arms)] * n
    draw_readings(rows, names, "Held-out rendered words (wrong in orange)", tmp_path / "s.png")
    (figure,) = figures
    figure.set_dpi(150)  # as saved
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in text_objects(figure)]
    assert len(boxes) == 1 + n * (1 + arms)
    heights = [axes.bbox.height / 150 for axes in figure.axes[:n]]  # inches
    assert min(heights) > 0.45
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    for i, box in enumerate(boxes):
        for other in boxes[:i]:
            apart_x = box.x1 <= other.x0 or other.x1 <= box.x0
            apart_y = box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1
            assert apart_x or apart_y


def test_a_reading_of_too_few_arms_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        draw_readings([reading("cat", "cat")], ("CTC", "DCTC"), "T", tmp_path / "s.png")
