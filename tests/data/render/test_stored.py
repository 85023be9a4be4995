"""Rendered words in an LMDB: the same words as on the fly, whatever was killed in between."""

import hashlib
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from dctc.cli import main as dctc
from dctc.data.records import writer
from dctc.data.records.folders import open_environment
from dctc.data.records.image_size import ImageSize
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.provenance import committed
from dctc.data.records.sampler import Draw
from dctc.data.render import rendered_words
from dctc.data.render.fonts import Font
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import drawn_key, open_stored, recipe, render_set
from dctc.text import Charset


@pytest.fixture
def words(fonts):
    """Make sets of training words of the first four fonts."""
    files = list(fonts.values())[:4]

    def make(count=7, preset="easy", fonts=files, **options):
        renderer = WordRenderer(fonts, 32, 64, preset)
        return RenderedWords("train", count, renderer, **{"seed": 3} | options)

    make.fonts = files
    return make


def contents(folder):
    with open_environment(folder).begin() as transaction:
        return dict(transaction.cursor())


def read(folder, **options):
    size = ImageSize(**{"height": 32, "width": 64} | options)
    return LmdbDataset(folder, "x", "english36", Charset.load("36"), size)


# ---- the recipe ----


def test_a_recipe_names_all_that_decides_the_images(words):
    made = json.loads(json.dumps(recipe(words(7, "scene"))))
    named = (made["split"], made["size"], made["seed"], made["height"], made["protocol"])
    assert named == ("train", 7, 3, 32, "english36")
    assert made["preset"]["name"] == "scene" and made["preset"]["contrast"] > 0
    assert made["charset"] == {
        "characters": 36,
        "sha256": hashlib.sha256(b"0123456789abcdefghijklmnopqrstuvwxyz").hexdigest()[:16],
    }
    digest = hashlib.sha256(Path(words.fonts[0].path).read_bytes()).hexdigest()
    assert made["fonts"][0]["sha256"] == digest[:16] and len(made["fonts"]) == 4
    # The keys of finished runs hash the entries
    entries = "renderer versions split size seed height width protocol max_length grayscale "
    entries += "language words top_k charset corpus preset fonts"
    assert list(made) == entries.split()
    assert list(made["versions"]) == "dctc python numpy pillow freetype jpeg".split()


def test_the_key_of_a_drawn_set_is_that_of_its_images(words, tmp_path):
    files = [tmp_path / name for name in ("a.txt", "b.txt")]
    for file in files:
        file.write_text("street\nexit\n")

    def key(size=7, fonts=words.fonts, words_of=str(files[0])):
        return drawn_key(words(size, fonts=fonts, words=words_of))

    own = words(7, words=str(files[0]))
    assert "own" in recipe(own) and "own" not in recipe(words(7))
    assert key() == key(size=9) == key(words_of=str(files[1]))
    assert len({key(), key(fonts=words.fonts[:1]), key(words_of="python")}) == 3


def test_chinese_recipes_tell_how_frequent_characters_are(words, tmp_path, monkeypatch):
    (tmp_path / "charset.txt").write_text("0a的一国")
    options = {"charset": str(tmp_path / "charset.txt"), "protocol": "verbatim", "language": "zh"}
    claimed = [Font(words.fonts[0].path, frozenset("0a的一"), "one")]

    def made(**frequencies: float) -> tuple[dict, str]:
        monkeypatch.setattr(rendered_words, "character_frequencies", lambda: frequencies)
        with pytest.warns(UserWarning, match="1 of 5 .* left out: 国"):
            drawn = words(fonts=claimed, **options, top_k=3)
        return recipe(drawn), drawn_key(drawn)

    (first, key), (again, same), (other, differs) = (
        made(的=0.5, 一=0.3, 国=share) for share in (0.2, 0.2, 0.25)
    )
    assert first == again and key == same != differs
    assert first["frequencies"]["characters"] == 3
    assert first["frequencies"]["sha256"] != other["frequencies"]["sha256"]
    assert first["left_out"] == "国"
    assert {"wordfreq", "fonttools"} < set(first["versions"])


# ---- what is stored ----


@pytest.mark.parametrize("preset", ["easy", "scene"])
def test_what_is_read_is_what_is_drawn(words, tmp_path, preset):
    drawn = words(30, preset)
    assert render_set(drawn, tmp_path / "set").records == 30
    assert len(read(tmp_path / "set")) == 30
    for i, sample in enumerate(read(tmp_path / "set")):
        expected = drawn[Draw(i, i)]
        np.testing.assert_array_equal(sample.image, expected.image)
        np.testing.assert_allclose(sample.extents, expected.extents)
        assert sample.label == expected.label
    found = contents(tmp_path / "set")
    labels = [found[b"label-%09d" % (i + 1)].decode() for i in range(30)]
    assert any(label != label.lower() for label in labels)  # stored as they were drawn
    sizes = [len(found[b"extents-%09d" % (i + 1)]) for i in range(30)]
    assert sizes == [8 * len(label) for label in labels]  # two float32 for each character


def test_extents_follow_the_size_that_is_read(words, tmp_path):
    render_set(words(5), tmp_path / "set")
    as_stored, wide = read(tmp_path / "set"), read(tmp_path / "set", width=128)
    padded = read(tmp_path / "set", height=16, width=128, keep_ratio=True)
    for i in range(5):
        extents = as_stored[i].extents
        np.testing.assert_allclose(wide[i].extents, 2 * extents)
        assert padded[i].width == 32
        np.testing.assert_allclose(padded[i].extents, extents / 2)


# ---- several processes ----


def test_errors_of_workers_are_one_line_and_killed_ones_named(words, tmp_path, monkeypatch, capsys):
    draw = RenderedWords.__getitem__

    def failing(self, drawn):
        if drawn.number == 40:
            raise ValueError("word 40 cannot be drawn; give another font")
        return draw(self, drawn)

    def killed(self, drawn):
        if drawn.number == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return draw(self, drawn)

    options = ["--count", "100", "--width", "64", "--workers", "2", "--out", str(tmp_path / "cli")]
    with monkeypatch.context() as patch:
        patch.setattr(RenderedWords, "__getitem__", failing)
        with pytest.raises(SystemExit):
            dctc(["data", "render", *options])
        said = "dctc: word 40 cannot be drawn; give another font\n(DCTC_DEBUG=1 shows where)\n"
        assert capsys.readouterr().err == said
        with pytest.raises(ValueError, match="word 40") as raised:
            render_set(words(100), tmp_path / "set", workers=2)
        assert any("in failing" in note for note in raised.value.__notes__)
        patch.setattr(RenderedWords, "__getitem__", killed)
        with pytest.raises(OSError, match=r"draws was killed.*run the same command again"):
            render_set(words(100), tmp_path / "set", workers=2)
    assert render_set(words(100), tmp_path / "set").records == 100


def runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_rendering_goes_on_without_loss_and_workers_change_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "PER_TRANSACTION", 50)
    options = "data render --count 800 --width 64 --out".split()
    command = [*options, str(tmp_path / "set"), "--workers", "2"]
    begun = multiprocessing.get_context("fork").Process(target=dctc, args=(command,))
    begun.start()
    try:
        end = time.monotonic() + 300  # of a busy machine
        while committed(tmp_path / "set.partial").taken < 50 and time.monotonic() < end:
            time.sleep(0.01)
        children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children")
        workers = children.read_text().split() if children.exists() else []
    finally:
        begun.kill()
        begun.join()
    end = time.monotonic() + 20
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(runs, workers))
    assert 0 < committed(tmp_path / "set.partial").taken < 800
    assert not (tmp_path / "set").exists()
    for name, workers in (("set", "2"), ("whole", "1")):
        dctc([*options, str(tmp_path / name), "--workers", workers])
    resumed, whole = contents(tmp_path / "set"), contents(tmp_path / "whole")
    assert resumed == whole and resumed[b"num-samples"] == b"800"
    recipes = [(tmp_path / name / "recipe.json").read_text() for name in ("set", "whole")]
    assert recipes[0] == recipes[1]


def test_words_of_a_file_are_known_by_what_they_are(words, tmp_path):
    """Not by the path of their file, which may be spelled otherwise."""
    for name in ("a.txt", "b.txt", "other.txt"):
        (tmp_path / name).write_text("cat\ndog\n" if name != "other.txt" else "cow\n")
    render_set(words(5, words=str(tmp_path / "a.txt")), tmp_path / "set")
    open_stored(tmp_path / "set", words(5, words=str(tmp_path / "b.txt")))
    with pytest.raises(ValueError, match="drawn with corpus"):
        open_stored(tmp_path / "set", words(5, words=str(tmp_path / "other.txt")))
