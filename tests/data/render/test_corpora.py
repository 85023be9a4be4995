import sys

import pytest

from dctc.data.render import corpora
from dctc.data.render.corpora import character_frequencies, english_words, is_chinese, word_counts


def test_there_are_thousands_of_english_words_in_order():
    counts = english_words()
    assert len(counts) >= 5000 and list(counts) == sorted(counts)
    assert all(w.isascii() and w.isalpha() and w.islower() and 2 <= len(w) <= 15 for w in counts)
    assert {"the", "string", "function", "which", "example"} <= set(counts)
    assert word_counts("python") == counts and word_counts("python", "zh") == {}
    assert sorted(counts.values())[-5:] == sorted(word_counts("python", top_k=5).values())


def test_wordfreq_gives_the_most_frequent_words():
    pytest.importorskip("wordfreq")
    words = word_counts("wordfreq", top_k=200)
    assert len(words) == 200 and list(words) == sorted(words)
    assert {"the", "of", "and", "people"} <= set(words)
    assert words["the"] > words["people"] > 0
    assert not any(c.isdigit() for word in word_counts("wordfreq") for c in word)


def test_characters_by_frequency():
    pytest.importorskip("wordfreq")
    characters = list(character_frequencies())
    assert all(map(is_chinese, characters)) and len(characters) > 4000
    assert "的" in characters[:3] and {"是", "我", "一"} <= set(characters[:30])


def test_a_file_holds_words_and_counts(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("street 7\n\nexit\nstreet\t2\n", encoding="utf-8-sig")
    assert word_counts(str(file)) == {"exit": 1.0, "street": 9.0}
    assert word_counts(str(file), top_k=1) == {"street": 9.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *(
            (f"street\n{line}\n".encode(), f"', line 2: '{line}'; each line holds a word")
            for line in ("no exit 3", "exit many", "exit 0", "exit -1", "exit nan")
        ),
        (b"\n\n", "': it holds no word"),
        (b"a\ncaf\xe9\n", "', line 2: is not UTF-8 .byte 0xE9 after 'caf'"),
        ("a\u200bb\n".encode(), r"', line 1: .* U\+200B; remove it"),
    ],
)
def test_bad_files_are_errors(tmp_path, content, message):
    file = tmp_path / "words.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"words\.txt{message}"):
        word_counts(str(file))


def test_missing_corpora_are_errors(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="words 'klingon': neither python nor wordfreq nor a file"):
        word_counts("klingon")
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(ValueError, match=r"not installed; pip install 'dctc\[words\]'"):
        word_counts("wordfreq", "fr")
    monkeypatch.setattr(corpora.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ValueError, match="only 0 English words in the 0 sources under"):
        english_words.__wrapped__()
