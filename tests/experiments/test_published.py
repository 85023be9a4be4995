"""Arrays and files of figures: what is written is what is read, small, and the same each time."""

import numpy as np
import pytest
from experiments.figures.published import (
    DRAWN_FROM,
    MOST,
    PUBLISHED,
    digest,
    load_arrays,
    save_arrays,
    save_figure,
    show,
)
from matplotlib.figure import Figure
from PIL import Image

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


def test_a_picture_tells_the_arrays_that_it_was_drawn_from(tmp_path):
    png, _ = save_figure(Figure(figsize=(1, 1)), tmp_path / "a", ARRAYS)
    stored = load_arrays(save_arrays(ARRAYS, tmp_path / "a.npz"))
    with Image.open(png) as image:
        assert image.text[DRAWN_FROM] == digest(ARRAYS) == digest(stored)


@pytest.mark.parametrize(
    "other",
    [
        {**ARRAYS, "points": np.arange(6.0).reshape(3, 2)},
        {**ARRAYS, "points": np.arange(6).reshape(2, 3)},
        {**ARRAYS, "more": np.zeros(0)},
        {"labels": ARRAYS["labels"], "others": ARRAYS["points"]},
    ],
)
def test_other_arrays_have_another_digest(other):
    assert digest(other) != digest(ARRAYS) == digest(dict(reversed(ARRAYS.items())))
