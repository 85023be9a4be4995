"""Arrays and files of figures: what is written is what is read, small, and the same each time."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from dctc.reporting.published import (
    MOST,
    PUBLISHED,
    load_arrays,
    publish_figures,
    save_arrays,
    save_figure,
    show,
)

ARRAYS = {"labels": np.array(["ab", "ç"]), "points": np.arange(6.0).reshape(2, 3)}


def same(found):
    return all(np.array_equal(found[name], array) for name, array in ARRAYS.items())


def test_arrays_come_back_without_pickle(tmp_path):
    file = save_arrays(ARRAYS, tmp_path / "new" / "figure1.npz")
    assert same(load_arrays(file))
    assert [path.name for path in file.parent.iterdir()] == ["figure1.npz"]


def test_what_is_too_large_is_refused_and_not_left(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, MOST + 1, dtype=np.uint8)
    with pytest.raises(ValueError, match=r"figure1.npz: 2,\d+,\d+ bytes, more than"):
        save_arrays({"noise": noise}, tmp_path / "figure1.npz")
    assert not list(tmp_path.iterdir())


def test_a_figure_is_written_twice_as_the_same_bytes(tmp_path):
    def draw(stem):
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1])
        return [file.read_bytes() for file in save_figure(figure, tmp_path / stem)]

    first, second = draw("a"), draw("b")
    assert first == second
    assert first[0].startswith(b"\x89PNG") and b"<svg" in first[1]


@pytest.mark.parametrize("inside", [".", "notebooks"])
def test_shown_from_the_root_and_from_the_notebooks(tmp_path, monkeypatch, capsys, inside):
    (tmp_path / inside).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / inside)
    assert show("figure1", same) is None
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("figure1 is not published yet: ./reproduce.sh figure1 --scale small")
    save_arrays(ARRAYS, tmp_path / PUBLISHED / "figure1.npz")
    assert show("figure1", same) is True


def test_figures_are_published_all_or_none(tmp_path):
    runs, to = tmp_path / "runs", tmp_path / "results"
    save_arrays(ARRAYS, runs / "figure1" / "figure1.npz")
    with pytest.raises(FileNotFoundError, match=r"figure3 --scale small makes it"):
        publish_figures(runs, ["figure1", "figure3"], to)
    assert not to.exists()
    (file,) = publish_figures(runs, ["figure1"], to)
    assert file == to / "figures" / "figure1.npz" and same(load_arrays(file))
