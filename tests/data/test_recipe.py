import hashlib
import json
from pathlib import Path

import pytest

from dctc.data.fonts import find_fonts
from dctc.data.recipe import drawn_key, recipe
from dctc.data.render import WordRenderer
from dctc.data.rendered_words import RenderedWords


@pytest.fixture(scope="module")
def fonts():
    return find_fonts()[:2]


def test_a_recipe_names_all_that_decides_the_images(fonts):
    made = recipe(RenderedWords("val", 7, WordRenderer(fonts, preset="scene"), seed=3))
    assert json.loads(json.dumps(made))["height"] == 32
    assert (made["split"], made["size"], made["seed"], made["protocol"]) == (
        "val",
        7,
        3,
        "english36",
    )
    assert made["preset"]["name"] == "scene" and made["preset"]["contrast"] > 0
    assert made["charset"] == {
        "characters": 36,
        "sha256": hashlib.sha256(b"0123456789abcdefghijklmnopqrstuvwxyz").hexdigest()[:16],
    }
    digest = hashlib.sha256(Path(fonts[0].path).read_bytes()).hexdigest()
    assert made["fonts"][0]["sha256"] == digest[:16] and len(made["fonts"]) == 2
    assert {"dctc", "numpy", "pillow", "freetype", "jpeg"} <= set(made["versions"])


def test_other_words_have_another_hash(fonts, tmp_path):
    (tmp_path / "words.txt").write_text("street\nexit\n")
    renderer = WordRenderer(fonts)
    corpora = [
        recipe(RenderedWords("train", 7, renderer, words=words))["corpus"]
        for words in ("python", "python", str(tmp_path / "words.txt"))
    ]
    assert corpora[0] == corpora[1] != corpora[2] and corpora[2]["words"] == 2


def test_the_key_of_a_drawn_set_is_that_of_its_images(fonts, tmp_path):
    files = [tmp_path / name for name in ("a.txt", "b.txt")]
    for file in files:
        file.write_text("street\nexit\n")

    def key(size=7, fonts=fonts, words=str(files[0])):
        return drawn_key(RenderedWords("test", size, WordRenderer(fonts), words=words))

    assert key() == key(size=9) == key(words=str(files[1]))
    assert len({key(), key(fonts=fonts[:1]), key(words="python")}) == 3
