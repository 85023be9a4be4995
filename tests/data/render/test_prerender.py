"""Rendered words in an LMDB: the same words as on the fly, whatever was killed in between."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import numpy as np
import pytest

from dctc.cli import main as dctc
from dctc.data.records.environment import open_environment
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.sampler import Draw
from dctc.data.render import stored as prerender
from dctc.data.render.fonts import find_fonts
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import render_set
from dctc.text import Charset


def words(count, preset="easy", seed=3, **options):
    renderer = WordRenderer(find_fonts()[:4], 32, 64, preset)
    return RenderedWords("train", count, renderer, seed=seed, **options)


def contents(folder):
    with open_environment(folder).begin() as transaction:
        return dict(transaction.cursor())


@pytest.mark.parametrize("preset", ["easy", "scene"])
def test_what_is_read_is_what_is_drawn(tmp_path, preset):
    drawn = words(30, preset)
    assert render_set(drawn, tmp_path / "set").records == 30
    stored = LmdbDataset(tmp_path / "set", "x", "english36", Charset.load("36"), 32, 64)
    assert len(stored) == 30
    for i, sample in enumerate(stored):
        expected = drawn[Draw(i, i)]
        np.testing.assert_array_equal(sample.image, expected.image)
        np.testing.assert_allclose(sample.extents, expected.extents)
        assert sample.label == expected.label
    recipe = json.loads((tmp_path / "set" / "recipe.json").read_text())
    assert (recipe["seed"], recipe["preset"]["name"]) == (3, preset)


def test_labels_are_stored_as_they_were_drawn(tmp_path):
    render_set(words(40), tmp_path / "set")
    found = contents(tmp_path / "set")
    labels = [found[b"label-%09d" % (i + 1)].decode() for i in range(40)]
    assert any(label != label.lower() for label in labels)
    sizes = [len(found[b"extents-%09d" % (i + 1)]) for i in range(40)]
    assert sizes == [8 * len(label) for label in labels]  # two float32 for each character


def test_extents_follow_the_size_that_is_read(tmp_path):
    render_set(words(5), tmp_path / "set")
    options = {"name": "x", "protocol": "english36", "charset": Charset.load("36")}
    as_stored = LmdbDataset(tmp_path / "set", height=32, width=64, **options)
    wide = LmdbDataset(tmp_path / "set", height=32, width=128, **options)
    padded = LmdbDataset(tmp_path / "set", height=16, width=128, keep_ratio=True, **options)
    for i in range(5):
        extents = as_stored[i].extents
        np.testing.assert_allclose(wide[i].extents, 2 * extents)
        assert padded[i].width == 32
        np.testing.assert_allclose(padded[i].extents, extents / 2)


def test_another_recipe_is_refused(tmp_path):
    render_set(words(5), tmp_path / "set")
    for other in (words(5, seed=4), words(5, "scene"), words(6)):
        with pytest.raises(ValueError, match="was begun with"):
            render_set(other, tmp_path / "set")
    assert render_set(words(5), tmp_path / "set").records == 5  # the same one is complete


@pytest.mark.slow
def test_any_number_of_workers_writes_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(prerender, "CHUNK", 4)
    render_set(words(30), tmp_path / "one")
    render_set(words(30), tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
def test_errors_of_workers_are_one_line(tmp_path, monkeypatch, capsys):
    draw = RenderedWords.__getitem__

    def failing(self, drawn):
        if drawn.number == 40:
            raise ValueError("word 40 cannot be drawn; give another font")
        return draw(self, drawn)

    monkeypatch.setattr(RenderedWords, "__getitem__", failing)
    arguments = [
        "data",
        "render",
        "--count",
        "100",
        "--width",
        "64",
        "--out",
        str(tmp_path / "set"),
    ]
    with pytest.raises(SystemExit):
        dctc([*arguments, "--workers", "2"])
    said = "dctc: word 40 cannot be drawn; give another font\n(DCTC_DEBUG=1 shows where)\n"
    assert capsys.readouterr().err == said
    with pytest.raises(ValueError, match="word 40") as raised:
        render_set(words(100), tmp_path / "set", workers=2)
    assert any("in failing" in note for note in raised.value.__notes__)


@pytest.mark.slow
def test_a_killed_worker_is_named_and_drawing_goes_on(tmp_path, monkeypatch):
    draw = RenderedWords.__getitem__

    def killed(self, drawn):
        if drawn.number == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(self, drawn)

    with monkeypatch.context() as patch:
        patch.setattr(RenderedWords, "__getitem__", killed)
        with pytest.raises(OSError, match=r"draws was killed.*run the same command again"):
            render_set(words(100), tmp_path / "set", workers=2)
    assert render_set(words(100), tmp_path / "set").records == 100


def committed(folder):
    """Words that an unfinished set holds."""
    if not (folder / "data.mdb").exists():
        return 0
    environment = lmdb.open(str(folder), readonly=True, lock=False)
    with environment.begin() as transaction:
        raw = transaction.get(b"progress")
    environment.close()
    return json.loads(raw)["taken"] if raw else 0


def children(process):
    """Processes that a process began, where the system tells."""
    file = Path(f"/proc/{process}/task/{process}/children")
    return file.read_text().split() if file.exists() else []


def runs(process):
    state = Path(f"/proc/{process}/stat")
    try:
        return state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_killed_rendering_goes_on_without_loss(tmp_path):
    arguments = ["-m", "dctc.cli", "data", "render", "--count", "1200", "--workers", "2"]
    arguments += ["--width", "64", "--out"]
    begun = subprocess.Popen([sys.executable, *arguments, str(tmp_path / "set")])
    try:
        end = time.monotonic() + 60
        while committed(tmp_path / "set.partial") < 500 and time.monotonic() < end:
            time.sleep(0.01)
        workers = children(begun.pid)
    finally:
        os.kill(begun.pid, signal.SIGKILL)
        begun.wait()
    end = time.monotonic() + 20
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(runs, workers))
    kept = committed(tmp_path / "set.partial")
    assert 0 < kept < 1200
    assert not (tmp_path / "set").exists()
    for name in ("set", "whole"):
        dctc([*arguments[2:], str(tmp_path / name)])
    resumed, whole = contents(tmp_path / "set"), contents(tmp_path / "whole")
    assert resumed == whole
    assert resumed[b"num-samples"] == b"1200"
    recipes = [(tmp_path / name / "recipe.json").read_text() for name in ("set", "whole")]
    assert recipes[0] == recipes[1]


def test_the_verb(tmp_path, capsys):
    arguments = ["data", "render", "--count", "7", "--workers", "1", "--preset", "document"]
    arguments += ["--out", str(tmp_path / "set")]
    dctc(arguments)
    assert capsys.readouterr().out == f"{tmp_path / 'set'}: 7 records\n"
    dctc(arguments)  # complete: nothing is done
    with pytest.raises(SystemExit) as ended:
        dctc([*arguments, "--seed", "1"])
    assert ended.value.code == 1
    assert "was begun with seed 0, not 1" in capsys.readouterr().err
