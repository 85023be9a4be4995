"""Figures that are committed: their arrays, and what is drawn from these."""

import numpy as np
import pytest
from experiments.figures import publish_figures as module
from experiments.figures.publish_figures import publish_figures
from experiments.figures.published import DRAWN_FROM, digest, load_arrays, save_arrays
from matplotlib.figure import Figure
from PIL import Image

ARRAYS = {"points": np.arange(6.0)}


def draw(arrays):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot(arrays["points"])
    return figure


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Runs with a figure 1, and nothing published; figures are drawn as plain lines."""
    monkeypatch.setattr(module, "DRAW", {"figure1": draw, "figure3": draw})
    save_arrays(ARRAYS, tmp_path / "runs" / "figure1" / "figure1.npz")
    return tmp_path / "runs", tmp_path / "results"


def test_figures_are_published_all_or_none(folders):
    runs, to = folders
    with pytest.raises(FileNotFoundError, match=r"figure3 --scale small makes it"):
        publish_figures(runs, ["figure1", "figure3"], to)
    assert not to.exists()
    files = publish_figures(runs, ["figure1", "figure2"], to)
    assert [file.name for file in files] == [
        *("figure1.npz", "figure1.png", "figure1.svg", "figure2.png", "figure2.svg")
    ]
    assert sorted(to.glob("figures/*")) == sorted(files)
    assert digest(load_arrays(files[0])) == digest(ARRAYS)
    with Image.open(files[1]) as image:
        assert image.text[DRAWN_FROM] == digest(ARRAYS)


def test_without_runs_what_is_published_is_drawn_anew(folders, tmp_path):
    runs, to = folders
    first = {file.name: file.read_bytes() for file in publish_figures(runs, ["figure1"], to)}
    (to / "figures" / "figure1.png").unlink()
    written = publish_figures(tmp_path / "none", ["figure1"], to)
    assert [file.name for file in written] == ["figure1.png", "figure1.svg"]
    assert {file.name: file.read_bytes() for file in to.glob("figures/*")} == first


def test_pictures_that_are_too_large_are_not_left(folders, monkeypatch):
    runs, to = folders
    monkeypatch.setitem(module.MOST_BYTES, ".svg", 100)
    names = [file.name for file in publish_figures(runs, ["figure1"], to)]
    assert names == ["figure1.npz", "figure1.png"] and not [*to.rglob("*.svg")]
    monkeypatch.setitem(module.MOST_BYTES, ".png", 100)
    with pytest.raises(ValueError, match=r"figure1.png: [\d,]+ bytes, more than the 100"):
        publish_figures(runs, ["figure1"], to)
    assert not [*to.rglob("*.png")]
