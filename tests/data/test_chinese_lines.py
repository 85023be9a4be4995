import numpy as np
import pytest

from dctc.data.chinese_lines import ChineseLines
from dctc.data.texts import Limits
from dctc.text.protocol import verbatim

CHARACTERS = "的一是在不了有和人这中大为上个国我以要他0123456789abcxyz"


def covers(text: str) -> bool:
    return "国" not in text


def lines(counts: dict[str, float], frequencies: dict[str, float], count: int) -> list[str]:
    limits = Limits("train", frozenset(CHARACTERS), verbatim, covers, 15, 40)
    source = ChineseLines(CHARACTERS, counts, frequencies, limits)
    rng = np.random.default_rng(0)
    return [source.draw(rng) for _ in range(count)]


def test_lines_hold_the_characters_that_can_be_drawn():
    drawn = lines({}, {}, 1500)
    assert set("".join(drawn)) == set(CHARACTERS) - {"国"}
    assert {len(line) for line in drawn} == set(range(1, 16))
    assert 3 < np.mean([len(line) for line in drawn]) < 7
    assert drawn == lines({}, {}, 1500)


def test_frequent_characters_and_words_come_up_more_often():
    text = "".join(lines({"我以": 9.0, "不在的外": 1.0}, {"人": 100.0, "了": 1.0}, 1500))
    assert text.count("人") > 2 * text.count("了") > 0
    assert text.count("我以") > 200


def test_fonts_without_chinese_characters_draw_the_others():
    limits = Limits("train", frozenset("abc"), verbatim, covers, 15, 40)
    source = ChineseLines("abc", {}, {}, limits)
    assert set("".join(source.draw(np.random.default_rng(i)) for i in range(50))) == set("abc")
    with pytest.raises(ValueError, match="the fonts draw no character of the charset"):
        ChineseLines("", {}, {}, limits)
