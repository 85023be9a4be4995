"""Which samples a sheet of readings shows, and how it is drawn."""

import numpy as np
import pytest
from experiments.figures.readings import Reading, choose, draw_readings, with_images

from dctc.data.records.batch import Sample, collate
from experiments.figures import COLOURS

# Whether the first and the second arm are right, by key.
RIGHT = {"k0": (0, 1), "k1": (1, 1), "k2": (1, 0), "k3": (0, 0), "k4": (1, 1), "k5": (0, 1)}
LABELS = {key: f"word{key}" for key in RIGHT}
ARMS = [{k: LABELS[k] if right[arm] else "wrong" for k, right in RIGHT.items()} for arm in (0, 1)]


def test_the_first_of_each_kind_in_the_order_of_the_set():
    kinds = {(True, True): 1, (False, True): 9, (True, False): 0, (False, False): 1}
    assert choose(LABELS, ARMS, kinds) == ["k1", "k0", "k5", "k3"]
    assert sorted(choose(LABELS, ARMS)) == sorted(LABELS)  # a small set is shown whole


def batches():
    for keys in (["k0", "k1"], ["k2", "k3"]):
        images = np.arange(512).astype(np.uint8).reshape(2, 4, 64, 1)
        yield collate([Sample(x, LABELS[k], k) for x, k in zip(images, keys, strict=True)])
    raise AssertionError("asked for a third batch")


def test_images_are_those_of_the_set_in_the_order_asked_for():
    readings = with_images(["k3", "k0"], LABELS, ARMS, batches())
    assert [reading.label for reading in readings] == ["wordk3", "wordk0"]
    assert [r.predictions for r in readings] == [["wrong", "wrong"], ["wrong", "wordk0"]]
    for reading in readings:
        assert reading.image.dtype == np.uint8
        assert reading.image.ravel().tolist() == [*range(256)]  # every grey level
    with pytest.raises(AssertionError, match="third batch"):
        with_images(["elsewhere"], LABELS, ARMS, batches())


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("channels", [1, 3])
def test_labels_and_predictions_below_each_image(channels):
    rows = [reading("cat", "cat", "cut", channels=channels)] * 5
    figure = draw_readings(rows, ("CTC", "DCTC"), "Held-out")
    figure.draw_without_rendering()
    assert len(figure.axes) == 8
    assert sorted(texts(figure)) == sorted(["Held-out", *["cat", "CTC: cat", "DCTC: cut"] * 5])
    right, wrong = figure.axes[0].texts
    assert (right.get_color(), wrong.get_color()) == (COLOURS[0], COLOURS[1])


def test_odd_predictions_are_shown_as_they_are():
    odd = r"$\frac{$"
    rows = [reading("w" * 50, "", "v" * 50), reading(odd, odd, "x")]
    found = texts(draw_readings(rows, ("CTC", "DCTC"), odd))
    assert {"CTC: (nothing)", f"DCTC: {'v' * 21}...", f"{'w' * 27}..."} <= {*found}
    assert {odd, f"CTC: {odd}"} <= {*found}


def test_no_readings_say_so_and_missing_ones_are_an_error():
    arms = ("CTC", "DCTC")
    assert texts(draw_readings([], arms, "Held-out")) == ["Held-out: no readings to show."]
    with pytest.raises(ValueError, match="zip"):
        draw_readings([reading("cat", "cat")], arms, "T")


@pytest.mark.parametrize(("n", "arms"), [(1, 1), (2, 4), (9, 3)])
def test_texts_do_not_overlap_and_are_not_cut(n, arms):
    rows = [reading("Wg" * 20, *["Mj" * 20] * arms)] * n
    names = [f"arm{i}" for i in range(arms)]
    figure = draw_readings(rows, names, "Held-out rendered words (wrong in orange)")
    figure.set_dpi(150)  # as saved
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in text_objects(figure)]
    assert len(boxes) == 1 + n * (1 + arms)
    assert min(axes.bbox.height / 150 for axes in figure.axes[:n]) > 0.45  # inches
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
        for other in boxes[:i]:
            apart_x = box.x1 <= other.x0 or other.x1 <= box.x0
            assert apart_x or box.y1 <= other.y0 + 1 or other.y1 <= box.y0 + 1
