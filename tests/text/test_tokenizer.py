"""Text to targets and back."""

import pytest
import torch

from dctc.text import CTCTokenizer


@pytest.mark.parametrize("charset", ["36", "62", "94"])
def test_every_character_has_its_own_class_and_comes_back(charset):
    tokenizer = CTCTokenizer(charset)
    characters = tokenizer.charset.characters
    targets, lengths = tokenizer.encode([characters])
    assert tokenizer.num_classes == int(charset) + 1
    assert lengths.tolist() == [int(charset)]
    assert targets[0].tolist() == list(range(1, int(charset) + 1))
    assert tokenizer.decode(targets[0].tolist()) == characters
    assert tokenizer.decode(targets[0]) == characters


def test_labels_are_padded_with_the_blank():
    targets, lengths = CTCTokenizer("36").encode(["0a", "", "1"])
    assert targets.tolist() == [[1, 11], [0, 0], [2, 0]]
    assert lengths.tolist() == [2, 0, 1]
    assert targets.dtype == lengths.dtype == torch.int64
    for labels in ([], ["", ""]):
        targets, lengths = CTCTokenizer("36").encode(labels)
        assert targets.shape == (len(labels), 0) and lengths.tolist() == [0] * len(labels)


def test_unknown_characters_raise_by_default():
    tokenizer = CTCTokenizer("36")
    with pytest.raises(ValueError, match=r"label 'cAt': 'A' \(U\+0041\) is not among the 36"):
        tokenizer.encode(["cat", "cAt"])
    assert not tokenizer.dropped


def test_unknown_characters_are_dropped_and_counted():
    tokenizer = CTCTokenizer("36", unknown="drop")
    targets, lengths = tokenizer.encode(["c-a-t", "é", "a!"])
    assert [tokenizer.decode(row) for row in targets.tolist()] == ["cat", "", "a"]
    assert lengths.tolist() == [3, 0, 1]
    tokenizer.encode(["-"])
    assert tokenizer.dropped == {"-": 3, "é": 1, "!": 1}


def test_decode_leaves_out_blanks_and_padding():
    assert CTCTokenizer("36").decode([0, 11, 0, -1, 12, -1]) == "ab"
    with pytest.raises(ValueError, match="unknown='ignore': it is either 'raise' or 'drop'"):
        CTCTokenizer(unknown="ignore")


def test_accents_are_composed_on_both_ways(tmp_path):
    (tmp_path / "charset.txt").write_text("u\u0308e\n\u0301", encoding="utf-8")
    tokenizer = CTCTokenizer(str(tmp_path / "charset.txt"))
    for written in ("\u00fc", "u\u0308"):
        assert tokenizer.encode([written])[0].tolist() == [[1]]
    assert tokenizer.decode([2, 3]) == "\u00e9"
