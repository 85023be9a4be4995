"""Arrays and pictures of figures: written whole, small, the same each time; publishing them."""

import numpy as np
import pytest
from experiments.figures.published import (
    DRAWN_FROM,
    MOST,
    digest,
    load_arrays,
    publish_figures,
    save_arrays,
    save_figure,
)
from matplotlib.figure import Figure
from PIL import Image

from experiments.figures import published as module

ARRAYS = {"labels": np.array(["ab", "ç"]), "points": np.arange(6.0).reshape(2, 3)}


def draw(arrays):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot(arrays["points"])
    return figure


def test_arrays_come_back_and_too_large_ones_are_refused(tmp_path):
    file = save_arrays(ARRAYS, tmp_path / "new" / "figure1.npz")
    assert digest(load_arrays(file)) == digest(ARRAYS)
    noise = np.random.default_rng(0).integers(0, 256, MOST + 1, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"figure1.npz: 2,\d+,\d+ bytes, more than"):
        save_arrays({"noise": noise}, file)
    assert digest(load_arrays(file)) == digest(ARRAYS)
    assert [path.name for path in file.parent.iterdir()] == ["figure1.npz"]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_figure_is_written_twice_as_the_same_bytes(tmp_path, ending):
    first, second = (save_figure(draw(ARRAYS), tmp_path / f"{i}.{ending}", ARRAYS) for i in "ab")
    assert first.read_bytes() == second.read_bytes()
    if ending == "png":
        with Image.open(first) as image:
            assert image.text[DRAWN_FROM] == digest(ARRAYS)


def test_other_arrays_have_another_digest():
    others = [np.arange(6.0).reshape(3, 2), np.arange(6).reshape(2, 3), np.zeros((2, 3))]
    digests = {digest({**ARRAYS, "points": points}) for points in others}
    digests |= {digest({**ARRAYS, "more": np.zeros(0)})}
    digests |= {digest({"labels": ARRAYS["labels"], "others": ARRAYS["points"]})}
    assert len(digests) == 5 and digest(ARRAYS) not in digests
    assert digest(ARRAYS) == digest(dict(reversed(ARRAYS.items())))


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Runs with a figure 1, and nothing published; figures are drawn as plain lines."""
    drawings = {"figure1": draw, "figure3": draw, "figure2": lambda: draw(ARRAYS)}
    monkeypatch.setattr(module, "DRAW", drawings)
    save_arrays(ARRAYS, tmp_path / "runs" / "figure1" / "figure1.npz")
    return tmp_path / "runs", tmp_path / "results"


def test_figures_are_published_all_or_none(folders):
    runs, to = folders
    with pytest.raises(FileNotFoundError, match=r"figure3 --scale small makes it"):
        publish_figures(runs, ["figure1", "figure3"], to)
    assert not to.exists()
    arrays, *pictures = publish_figures(runs, ["figure2", "figure1"], to)
    assert digest(load_arrays(arrays)) == digest(ARRAYS)
    assert [file.name for file in pictures] == ["figure2.png", "figure1.png"]
    assert {*to.glob("figures/*")} == {arrays, *pictures}


def test_without_runs_what_is_published_is_drawn_anew_and_none_too_large(folders, monkeypatch):
    runs, to = folders
    first = {file.name: file.read_bytes() for file in publish_figures(runs, ["figure1"], to)}
    (to / "figures" / "figure1.png").unlink()
    written = publish_figures(runs / "none", ["figure1"], to)
    assert [file.name for file in written] == ["figure1.png"]
    assert {file.name: file.read_bytes() for file in to.glob("figures/*")} == first
    monkeypatch.setattr(module, "MOST_PNG", 100)
    with pytest.raises(ValueError, match=r"figure1.png: [\d,]+ bytes, more than the 100"):
        publish_figures(runs, ["figure1"], to)
    assert {file.name: file.read_bytes() for file in to.glob("figures/*")} == first
