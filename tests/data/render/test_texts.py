import random
import string
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dctc.data.render.corpora import english_words
from dctc.data.render.texts import EasyTexts, EnglishTexts, Limits, is_held_out, number
from dctc.text.protocol import english36, english94

ALPHANUMERIC = string.digits + string.ascii_letters
PRINTABLE = frozenset(ALPHANUMERIC + string.punctuation)


def everything(text: str) -> bool:
    return True


PLAIN = Limits("train", frozenset(ALPHANUMERIC.lower()), english36, everything, 12, 32)
HELD_OUT = replace(PLAIN, split="heldout")


def easy(limits: Limits = PLAIN, characters: str = ALPHANUMERIC, counts=None) -> EasyTexts:
    return EasyTexts(characters, dict(english_words()) if counts is None else counts, limits)


def signs(limits: Limits = PLAIN) -> EnglishTexts:
    return EnglishTexts(dict(english_words()), limits)


def draw(source, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [source.draw(rng) for _ in range(count)]


@pytest.mark.parametrize("source", [easy, signs])
class TestEveryEnglishSource:
    def test_held_out_labels_never_come_up_in_training(self, source):
        train = set(map(english36, draw(source(), 2000)))
        held_out = set(map(english36, draw(source(HELD_OUT), 500)))
        assert not train & held_out and all(map(is_held_out, held_out))

    def test_labels_fit_the_length_and_the_frames(self, source):
        for text in draw(source(replace(PLAIN, max_length=5, max_frames=6)), 500):
            label = english36(text)
            repeats = sum(a == b for a, b in pairwise(label))
            assert 1 <= len(label) <= 5 and len(label) + repeats <= 6
            assert PLAIN.characters.issuperset(label)

    def test_a_corpus_without_a_word_to_draw_is_an_error(self, source):
        split = replace(PLAIN, split="train" if is_held_out("word") else "heldout")
        for word, limits in (("übung", PLAIN), ("word", replace(PLAIN, max_length=3))):
            corpus = {word: 1.0}
            with pytest.raises(ValueError, match=r"none of the 1 words .* fits .* split"):
                easy(limits, counts=corpus) if source is easy else EnglishTexts(corpus, limits)
        with pytest.raises(ValueError, match="none of the 1 words"):
            easy(split, counts={"word": 1.0})


def test_a_tenth_of_the_words_is_held_out_in_any_case():
    assert is_held_out("Table") == is_held_out("TABLE")
    assert 0.08 < np.mean([is_held_out(word) for word in english_words()]) < 0.12


def test_easy_texts_have_their_shares():
    source = easy()
    texts = draw(source, 4000)
    english = [t for t in texts if t.lower() in set(source.words.things)]
    assert 0.72 < len(english) / len(texts) < 0.79
    assert 0.1 < np.mean([t.isdigit() for t in texts]) < 0.17
    assert 0.3 < np.mean([t.islower() for t in english]) < 0.5
    assert 0.2 < np.mean([t.istitle() for t in english]) < 0.3
    assert set("".join(texts)) == set(ALPHANUMERIC)
    assert 10 < [t.lower() for t in texts].count("the") < 200  # frequent, but not dominant


@pytest.mark.parametrize(
    ("characters", "words"),
    [
        (string.digits, False),
        (string.ascii_uppercase, True),
        (string.ascii_letters + string.punctuation, True),
    ],
)
def test_easy_texts_use_the_given_characters_only(characters, words):
    source = easy(characters=characters)
    drawn = set("".join(draw(source, 500)))
    assert drawn <= set(characters) and len(drawn) > 0.9 * len(characters)
    assert bool(source.words.things) == words


def test_english_texts_have_their_shares():
    texts, known = draw(signs(), 3000), english_words()
    words = [t for t in texts if t.lower() in known]
    assert 0.6 < len(words) / 3000 < 0.85
    assert 0.4 < np.mean([w.isupper() for w in words]) < 0.6
    assert 0.15 < np.mean([w.islower() for w in words]) < 0.35
    assert 0.1 < np.mean([any(map(str.isdigit, t)) for t in texts]) < 0.25
    # What the protocol drops is drawn all the same
    assert 0.05 < np.mean([any(c in string.punctuation for c in t) for t in texts]) < 0.25


def test_all_characters_of_the_charset_come_up():
    limits = replace(PLAIN, characters=PRINTABLE, protocol=english94)
    assert set("".join(draw(signs(limits), 4000))) == PRINTABLE


def test_only_what_a_font_covers_is_drawn():
    limits = replace(PLAIN, covers=lambda text: "$" not in text and "e" not in text.lower())
    assert not set("".join(draw(signs(limits), 300))) & set("$eE")


def test_letters_are_never_left_out_of_the_label():
    assert PLAIN.fits("it's") == PLAIN.fits("its") is True
    assert not PLAIN.fits("München") and not PLAIN.fits("caf\u00e9s")


def test_numbers_are_of_many_kinds():
    dice = random.Random(0)
    numbers = [number(dice) for _ in range(3000)]
    shapes = {"".join("9" if c.isdigit() else c for c in n) for n in numbers}
    assert {"99", "$99.99", "99:99", "99/99/99", "999-9999", "99%", "9am"} <= shapes
    assert not any(n.isdigit() and n[0] == "0" for n in numbers)


def test_errors():
    for wrong in ({"max_length": 0}, {"max_frames": 0}):
        with pytest.raises(ValueError, match="each has to be at least 1"):
            replace(PLAIN, **wrong)
    with pytest.raises(ValueError, match="the corpus holds no word"):
        EnglishTexts({}, PLAIN)
    with pytest.raises(ValueError, match=r"none of the .,... words"):
        signs(replace(PLAIN, covers=lambda text: not text.isalpha()))
    digits = replace(PLAIN, characters=frozenset(string.digits))
    for source in (EnglishTexts({"word": 1.0}, digits), easy(digits, "0123", {"word": 1.0})):
        assert draw(source, 1)[0].isdigit()  # no word can be written with digits
    alone = next(c for c in string.digits if not is_held_out(c))
    nothing = replace(digits, covers=lambda text: False)
    for source in (EnglishTexts({"a": 1.0}, nothing), easy(replace(HELD_OUT, max_length=1), alone)):
        with pytest.raises(ValueError, match="use more characters, or raise max_length"):
            draw(source, 1)


def test_capitals_of_a_word_are_as_long_as_the_word():
    """Those of sharp s are two letters, which may not fit."""
    characters = string.ascii_letters + "\u00df"
    limits = replace(PLAIN, split=None, characters=frozenset(characters), protocol=str.lower)
    texts = draw(easy(limits, characters, {"abschlie\u00dfend": 1}), 300)
    words = {text for text in texts if text.lower().startswith("abschlie")}
    assert words == {"abschlie\u00dfend", "Abschlie\u00dfend"}
