import pickle
import string

import numpy as np
import pytest

from dctc.data.records.sampler import Draw
from dctc.data.render import rendered_words
from dctc.data.render.fonts import Font
from dctc.data.render.rendered_words import RenderedWords, label_extents
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.texts import is_held_out
from dctc.text.protocol import english36, english94


@pytest.fixture(scope="module")
def renderer(fonts) -> WordRenderer:
    return WordRenderer(list(fonts.values()))


def labels(words: RenderedWords, count: int) -> list[str]:
    return [words[Draw(0, i)].label for i in range(count)]


def test_a_sample_depends_on_seed_split_and_number_only(renderer):
    words = RenderedWords("train", 10, renderer, seed=3)
    again = pickle.loads(pickle.dumps(RenderedWords("train", 99, renderer, seed=3)))
    one, same = words[Draw(0, 5)], again[Draw(7, 5)]
    assert (one.label, one.key) == (same.label, same.key) and one.key == "rendered/3/train/5"
    assert np.array_equal(one.image, same.image) and np.array_equal(one.extents, same.extents)
    other = [
        RenderedWords("train", 10, renderer, seed=4)[Draw(0, 5)],
        RenderedWords("val", 10, renderer, seed=3)[Draw(0, 5)],
        RenderedWords("test", 10, renderer, seed=3)[Draw(0, 5)],
        words[Draw(0, 6)],
    ]
    assert len({sample.image.tobytes() for sample in [one, *other]}) == 5


@pytest.mark.parametrize("preset", ["easy", "scene"])
@pytest.mark.parametrize(
    ("charset", "protocol", "characters"),
    [
        ("36", "english36", string.digits + string.ascii_lowercase),
        ("94", "english94", string.digits + string.ascii_letters + string.punctuation),
    ],
)
def test_labels_match_charset_and_extents(renderer, preset, charset, protocol, characters):
    drawer = WordRenderer(renderer.fonts, preset=preset)
    words = RenderedWords("train", 10, drawer, charset=charset, protocol=protocol)
    samples = [words[Draw(0, number)] for number in range(300)]
    assert all(s.label and len(s.label) == len(s.extents) for s in samples)
    seen = set("".join(s.label for s in samples))
    assert seen <= set(characters) and len(seen) > 0.8 * len(characters)
    texts = [words.words.draw(np.random.default_rng(i)) for i in range(300)]
    dropped = {c for text in texts for c in text} - set(characters + string.ascii_uppercase)
    assert bool(dropped) == (preset == "scene" and charset == "36")  # punctuation


def test_labels_are_split(renderer):
    for split in ("train", "val", "test"):
        found = labels(RenderedWords(split, 10, renderer), 100)
        assert set(map(is_held_out, found)) == {split != "train"}


def test_extents_of_removed_characters_are_dropped():
    extents = np.arange(8, dtype=np.float32).reshape(4, 2)
    label, kept = label_extents("A-b!", extents, english36)
    assert label == "ab" and kept.tolist() == [[0, 1], [4, 5]]
    label, kept = label_extents("A-b!", extents, english94)
    assert label == "A-b!" and kept.tolist() == extents.tolist()
    assert label_extents("abcd", extents, lambda text: text[::-1]) == ("dcba", None)
    assert label_extents("abcd", extents, lambda text: 2 * text) == ("abcdabcd", None)


def test_chinese_lines_use_the_characters_that_the_fonts_have(renderer, sans, tmp_path):
    (tmp_path / "alphabet.txt").write_text("0123456789abc汉字")
    options = {"charset": str(tmp_path / "alphabet.txt"), "protocol": "verbatim", "language": "zh"}
    with pytest.raises(ValueError, match=r"no font draws a Chinese character .*cmtt10; install"):
        RenderedWords("train", 10, renderer, **options)
    drawn = {*string.ascii_letters, *string.digits, "汉"}
    some = WordRenderer([Font(sans.path, frozenset(drawn), "Sans")])
    message = r"1 of 15 .* in no font .*: 字 \(U\+5B57\); tried Sans; give"
    with pytest.warns(UserWarning, match=message):
        words = RenderedWords("train", 10, some, **options)
    found = set("".join(labels(words, 40)))
    assert "汉" in found and found <= set("0123456789abc汉")
    drawn.add("字")
    chinese = WordRenderer([Font(sans.path, frozenset(drawn))], preset="scene")
    words = RenderedWords("train", 10, chinese, **options)
    samples = [words[Draw(0, i)] for i in range(60)]
    assert {"汉", "字"} <= set("".join(s.label for s in samples)) and words.left_out == ""
    assert all(len(s.extents) == len(s.label) for s in samples)
    (tmp_path / "words.txt").write_text("漢字")
    with pytest.raises(ValueError, match="none of the 1 words of the corpus is made of the 2 Chin"):
        RenderedWords("train", 10, chinese, **options, words=str(tmp_path / "words.txt"))
    (tmp_path / "words.txt").write_text("漢字\n汉字\n汉")
    with pytest.warns(match=r"1 of 3 are not drawn \(漢字\): .* that are not drawn \(漢\)"):
        RenderedWords("train", 10, chinese, **options, words=str(tmp_path / "words.txt"))
    with pytest.raises(ValueError, match="none of its 36 characters is Chinese"):
        RenderedWords("train", 10, renderer, language="zh")


def test_the_commonest_characters_come_without_symbols(sans, tmp_path, monkeypatch):
    characters = "的一国、①é01ab"
    (tmp_path / "alphabet.txt").write_text(characters)
    known = dict.fromkeys("的一国", 1.0)
    monkeypatch.setattr(rendered_words, "character_frequencies", lambda: known)
    every = WordRenderer([Font(sans.path, frozenset(characters + "AB"))])
    options = {"charset": str(tmp_path / "alphabet.txt"), "language": "zh"}
    words = RenderedWords("train", 10, every, **options, protocol="chinese_fold", top_k=2)
    assert set("".join(labels(words, 300))) == set("的一01ab")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "heldout"}, "split='heldout'"),
        ({"language": "fr"}, "language='fr': it is one of en, zh"),
        ({"top_k": 0}, "top_k=0"),
        ({"max_length": 0}, "max_length=0 and 32 frames; each has to be at least 1"),
        ({"charset": "upper.txt", "protocol": "english36"}, "maps no character to one of its"),
        (
            {"charset": "umlauts.txt", "protocol": "english94"},
            r"drops 2 of its 7 .* \u00df\), so no",
        ),
        ({"charset": "94", "protocol": "english36"}, "name protocol 'english94'"),
    ],
)
def test_errors_come_before_the_first_sample(renderer, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "upper.txt").write_text(string.ascii_uppercase)
    (tmp_path / "umlauts.txt").write_text("\u00fc\u00dfermtl", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        RenderedWords(**{"split": "train", "size": 10, "renderer": renderer} | options)


@pytest.mark.parametrize("preset", ["easy", "scene"])
def test_words_are_drawn_in_the_letters_of_the_charset_and_others_told(renderer, tmp_path, preset):
    (tmp_path / "charset.txt").write_text("mu\u0308lertas", encoding="utf-8")
    (tmp_path / "words.txt").write_text(
        "Mu\u0308ller\nalt\nStra\u00dfe\nd\u00e9s\n", encoding="utf-8"
    )
    drawer = WordRenderer(renderer.fonts, preset=preset)
    options = {"charset": str(tmp_path / "charset.txt"), "words": str(tmp_path / "words.txt")}
    with pytest.warns(match=r"2 of 4 are not drawn .* that are not drawn \(d \u00df \u00e9\)"):
        words = RenderedWords("train", 10, drawer, **options)
    with pytest.warns(match=r"3 of 4 .*max_length 5 or"):
        RenderedWords("train", 10, drawer, **options, max_length=5)
    assert words.options["protocol"] == "verbatim"
    assert "m\u00fcller" in {words[Draw(0, number)].label for number in range(60)}
    with pytest.warns(match=r"'english36' turns 26 of the 62 characters .* \(A B C .* and 16 more"):
        RenderedWords("train", 10, drawer, charset="62", protocol="english36")


@pytest.mark.parametrize("preset", ["easy", "scene"])
def test_own_words_that_are_never_drawn_are_named(fonts, tmp_path, preset):
    (tmp_path / "charset.txt").write_text("אבabc", encoding="utf-8")
    own = ["אa", "aaaaab", "abcabcabc", "abc", "אב", "bca", "cab", "ccba"]
    (tmp_path / "words.txt").write_text("\n".join(own), encoding="utf-8")
    drawer = WordRenderer([fonts["DejaVuSans"]], width=32, preset=preset)  # 8 frames
    options = {"charset": str(tmp_path / "charset.txt"), "words": str(tmp_path / "words.txt")}
    with pytest.warns(match=r"words: 3 of 8 are not drawn \(aaaaab, .*max_length 8 or 8 frames"):
        words = RenderedWords("train", 10, drawer, **options, max_length=8)
    assert set(words.words.undrawn) == {"אa", "aaaaab", "abcabcabc"}


@pytest.mark.parametrize("preset", ["easy", "scene"])
def test_all_characters_that_no_font_draws_are_named(preset):
    halves = WordRenderer([Font("half.ttf", frozenset(string.ascii_letters))], preset=preset)
    every = r"no font draws 0 \(U\+0030\), .*, 9 \(U\+0039\); tried half\.ttf; give"
    with pytest.raises(ValueError, match=every):
        RenderedWords("train", 10, halves)


@pytest.mark.parametrize("preset", ["easy", "scene"])
@pytest.mark.parametrize(
    "own", [["90210", "10001", "60614"], ["שלום", "בית", "ספר"], ["Fuß", "Ölung"]]
)
def test_words_of_any_script_are_drawn_as_labels(fonts, tmp_path, preset, own):
    """Digits and scripts without case too; words in a case that the charset lacks, in the other."""
    charset, words = tmp_path / "charset.txt", tmp_path / "words.txt"
    charset.write_text("".join(sorted(set("".join(own)))), encoding="utf-8")
    words.write_text("\n".join(own), encoding="utf-8")
    drawer = WordRenderer([fonts["DejaVuSans"]], preset=preset)
    options = {"charset": str(charset), "protocol": "verbatim", "words": str(words)}
    found = labels(RenderedWords("train", 10, drawer, **options), 60)
    known = {style(word) for word in own for style in (str.lower, str.upper, str.capitalize)}
    assert 0.6 < np.mean([label.rstrip(".,!?:;-") in known for label in found]) < 1
    words.write_text("word", encoding="utf-8")
    with pytest.raises(ValueError, match="none of the 1 words of the corpus fits"):
        RenderedWords("train", 10, drawer, **options)
