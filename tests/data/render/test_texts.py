import random
import string
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from dctc.data.render.texts import EnglishTexts, Limits, number
from dctc.data.render.words import english_words, is_held_out
from dctc.text.protocol import english36, english94

ALPHANUMERIC = frozenset(string.digits + string.ascii_lowercase)
PRINTABLE = frozenset(string.digits + string.ascii_letters + string.punctuation)


def everything(text: str) -> bool:
    return True


PLAIN = Limits("train", ALPHANUMERIC, english36, everything, 12, 32)


def draw(limits: Limits, count: int, seed: int = 0) -> list[str]:
    source, rng = EnglishTexts(dict(english_words()), limits), np.random.default_rng(seed)
    return [source.draw(rng) for _ in range(count)]


def test_draws_depend_on_the_generator_only():
    assert draw(PLAIN, 50) == draw(PLAIN, 50) != draw(PLAIN, 50, seed=1)


def test_kinds_and_styles_have_their_shares():
    texts = draw(PLAIN, 3000)
    known = english_words()
    words = [t for t in texts if t.lower() in known]
    assert 0.6 < len(words) / 3000 < 0.85
    assert 0.4 < np.mean([w.isupper() for w in words]) < 0.6
    assert 0.15 < np.mean([w.islower() for w in words]) < 0.35
    assert 0.1 < np.mean([any(map(str.isdigit, t)) for t in texts]) < 0.25
    # What the protocol drops is drawn all the same
    assert 0.05 < np.mean([any(c in string.punctuation for c in t) for t in texts]) < 0.25


def test_all_characters_of_the_charset_come_up():
    limits = Limits("train", PRINTABLE, english94, everything, 12, 32)
    assert set("".join(draw(limits, 4000))) == PRINTABLE


def test_labels_are_within_the_limits():
    limits = Limits("train", ALPHANUMERIC, english36, everything, 5, 6)
    for text in draw(limits, 500):
        label = english36(text)
        repeats = sum(a == b for a, b in pairwise(label))
        assert 1 <= len(label) <= 5 and len(label) + repeats <= 6
        assert ALPHANUMERIC.issuperset(label) and not is_held_out(label)
    held_out = replace(limits, split="heldout")
    assert all(is_held_out(english36(text)) for text in draw(held_out, 100))


def test_only_what_a_font_covers_is_drawn():
    limits = replace(PLAIN, covers=lambda text: "$" not in text and "e" not in text.lower())
    assert not set("".join(draw(limits, 300))) & set("$eE")


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
    with pytest.raises(ValueError, match="the corpus holds no word"):
        EnglishTexts({}, PLAIN)
    for word, limits in (("übung", PLAIN), ("word", replace(PLAIN, max_length=3))):
        with pytest.raises(ValueError, match=r"none of the 1 words of the corpus fits .* 'train'"):
            EnglishTexts({word: 1.0}, limits)
    unwritten = replace(PLAIN, covers=lambda text: not text.isalpha())
    with pytest.raises(ValueError, match=r"none of the .,... words"):
        draw(unwritten, 1)
    digits = replace(PLAIN, characters=frozenset(string.digits))
    assert EnglishTexts({"word": 1.0}, digits).draw(np.random.default_rng(0))
    nothing = replace(digits, covers=lambda text: False)
    with pytest.raises(ValueError, match="use more characters, or raise max_length"):
        draw(nothing, 1)
