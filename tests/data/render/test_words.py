import string
from itertools import pairwise

import numpy as np
import pytest

from dctc.data.render import words
from dctc.data.render.words import WordSource, english_words, is_held_out


def draw(source: WordSource, count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [source.draw(rng) for _ in range(count)]


def test_there_are_thousands_of_english_words_in_order():
    counts = english_words()
    assert len(counts) >= 5000
    assert list(counts) == sorted(counts)
    assert all(w.isascii() and w.isalpha() and w.islower() and 2 <= len(w) <= 15 for w in counts)
    assert {"the", "string", "function", "which", "example"} <= set(counts)


def test_python_without_sources_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(words.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ValueError, match="only 0 English words in the 0 sources under"):
        english_words.__wrapped__()


def test_held_out_texts_never_come_up_in_training():
    train = {t.lower() for t in draw(WordSource("train"), 4000)}
    held_out = {t.lower() for t in draw(WordSource("heldout"), 1000)}
    assert not train & held_out
    assert all(map(is_held_out, held_out))
    assert is_held_out("Table") == is_held_out("TABLE")
    share = np.mean([is_held_out(word) for word in english_words()])
    assert 0.08 < share < 0.12


def test_draws_depend_on_the_generator_only():
    assert draw(WordSource("train"), 50) == draw(WordSource("train"), 50)
    assert draw(WordSource("train"), 50) != draw(WordSource("train"), 50, seed=1)


def test_words_numbers_and_cases_have_their_shares():
    source = WordSource("train")
    texts = draw(source, 4000)
    known = set(source.words)
    english = [t for t in texts if t.lower() in known]
    assert 0.72 < len(english) / len(texts) < 0.79
    assert 0.1 < np.mean([t.isdigit() for t in texts]) < 0.17
    assert 0.3 < np.mean([t.islower() for t in english]) < 0.5
    assert 0.2 < np.mean([t.istitle() for t in english]) < 0.3
    assert set("".join(texts)) == set(string.digits + string.ascii_letters)


def test_frequent_words_are_likelier_but_do_not_rule():
    texts = [t.lower() for t in draw(WordSource("train"), 4000)]
    assert 10 < texts.count("the") < 200


def test_labels_fit_the_frames_and_the_length():
    for text in draw(WordSource("train", max_length=7, max_frames=7), 1000):
        repeats = sum(a == b for a, b in pairwise(text.lower()))
        assert 1 <= len(text) and len(text) + repeats <= 7


@pytest.mark.parametrize("characters", [string.digits, "αβγδε", string.ascii_uppercase])
def test_only_the_given_characters_are_drawn(characters):
    source = WordSource("train", characters)
    assert set("".join(draw(source, 300))) <= set(characters)
    assert bool(source.words) == (characters == string.ascii_uppercase)


def test_punctuation_comes_in_random_strings():
    texts = draw(WordSource("train", string.ascii_letters + string.punctuation), 500)
    assert any(set(t) & set(string.punctuation) for t in texts)


def test_errors():
    with pytest.raises(ValueError, match="either 'train' or 'heldout'"):
        WordSource("test")
    with pytest.raises(ValueError, match="0 characters"):
        WordSource("train", "")
    with pytest.raises(ValueError, match="max_length=0"):
        WordSource("train", max_length=0)
    alone = next(c for c in string.digits if not is_held_out(c))
    with pytest.raises(ValueError, match="use more characters or raise max_length"):
        draw(WordSource("heldout", alone, max_length=1), 1)


def test_a_corpus_without_a_word_to_draw_is_an_error():
    for counts, characters, length in (
        ({"übung": 1}, string.ascii_letters, 12),
        ({"word": 1}, "word", 3),
    ):
        with pytest.raises(ValueError, match=r"none of the 1 words of the corpus fits .* split"):
            WordSource("train", characters, length, counts=counts)
    split = "train" if is_held_out("word") else "heldout"
    with pytest.raises(ValueError, match="none of the 1 words"):
        WordSource(split, counts={"word": 1})
    assert draw(WordSource("train", string.digits, counts={"word": 1}), 5)  # nothing to write it in
