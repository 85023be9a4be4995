import hashlib
import json
from pathlib import Path

import pytest

from dctc.data.render import rendered_words
from dctc.data.render.fonts import Font, find_fonts
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import drawn_key, recipe


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


def test_english_recipes_keep_their_entries(fonts):
    """The keys of finished runs hash them."""
    made = recipe(RenderedWords("train", 7, WordRenderer(fonts)))
    assert (
        list(made)
        == (
            "renderer versions split size seed height width protocol max_length grayscale language "
            "words top_k charset corpus preset fonts"
        ).split()
    )
    assert list(made["versions"]) == "dctc python numpy pillow freetype jpeg".split()


def test_chinese_recipes_tell_how_frequent_characters_are(fonts, tmp_path, monkeypatch):
    (tmp_path / "charset.txt").write_text("0a的一国")
    options = {"charset": str(tmp_path / "charset.txt"), "protocol": "verbatim", "language": "zh"}
    claimed = [Font(fonts[0].path, frozenset("0a的一"), "one")]

    def made(**frequencies: float) -> tuple[dict, str]:
        monkeypatch.setattr(rendered_words, "character_frequencies", lambda: frequencies)
        with pytest.warns(UserWarning, match="1 of 5 .* left out: 国"):
            words = RenderedWords("train", 7, WordRenderer(claimed), **options, top_k=3)
        return recipe(words), drawn_key(words)

    (first, key), (again, same), (other, differs) = (
        made(的=0.5, 一=0.3, 国=share) for share in (0.2, 0.2, 0.25)
    )
    assert first == again and key == same != differs
    assert first["frequencies"]["characters"] == 3
    assert first["frequencies"]["sha256"] != other["frequencies"]["sha256"]
    assert first["left_out"] == "国"
    assert {"wordfreq", "fonttools"} < set(first["versions"])
