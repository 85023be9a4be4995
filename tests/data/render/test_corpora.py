import sys

import pytest

from dctc.data.render.corpora import character_frequencies, is_chinese, word_counts
from dctc.data.render.words import english_words


def test_the_documentation_is_the_default():
    assert word_counts("python") == english_words()
    assert word_counts("python", "zh") == {}
    most = word_counts("python", top_k=5)
    assert sorted(english_words().values())[-5:] == sorted(most.values())


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


@pytest.mark.parametrize("line", ["no exit 3", "exit many", "exit 0", "exit -1", "exit nan"])
def test_bad_lines_are_named(tmp_path, line):
    file = tmp_path / "words.txt"
    file.write_text(f"street\n{line}\n")
    with pytest.raises(ValueError, match=rf"words\.txt', line 2: '{line}'; each line holds a word"):
        word_counts(str(file))


def test_errors(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="words 'klingon': neither python nor wordfreq nor a file"):
        word_counts("klingon")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(ValueError, match=r"empty\.txt': it holds no word"):
        word_counts(str(tmp_path / "empty.txt"))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"latin\.txt': not UTF-8"):
        word_counts(str(tmp_path / "latin.txt"))
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(ValueError, match=r"not installed; pip install 'dctc\[words\]'"):
        word_counts("wordfreq", "fr")
