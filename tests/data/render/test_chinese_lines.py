import numpy as np

from dctc.data.render.chinese_lines import ChineseLines
from dctc.data.render.corpora import is_chinese
from dctc.data.render.texts import Limits
from dctc.text.protocol import chinese_fold, verbatim

CHARACTERS = "的一是在不了有和人这中大为上个国我以要他0123456789abcxyz"


def everything(text: str) -> bool:
    return True


def drawn(
    characters: str, counts=None, frequencies=None, covers=everything, protocol=chinese_fold, n=1500
) -> list[str]:
    limits = Limits("train", frozenset(map(protocol, characters)), protocol, covers, 15, 40)
    source = ChineseLines(characters, counts or {}, frequencies or {}, limits)
    rng = np.random.default_rng(0)
    return [source.draw(rng) for _ in range(n)]


def test_lines_hold_the_characters_that_can_be_drawn():
    options = {"covers": lambda text: "国" not in text, "protocol": verbatim}
    found = drawn(CHARACTERS, **options)
    assert set("".join(found)) == set(CHARACTERS) - {"国"}
    assert {len(line) for line in found} == set(range(1, 16))
    assert 3 < np.mean([len(line) for line in found]) < 7
    assert found == drawn(CHARACTERS, **options)


def test_all_characters_of_a_charset_come_up_symbols_too():
    """Those too that no font draws beside a Chinese character."""
    characters = CHARACTERS + "、。《》，！：“”—°①★αжǎ"

    def covers(text: str) -> bool:
        return not set(text) & set("αжǎ") or not any(map(is_chinese, text))

    labels = map(chinese_fold, drawn(characters, {"我以": 1.0}, covers=covers, n=4000))
    assert set("".join(labels)) == set(map(chinese_fold, characters))


def test_words_have_the_punctuation_that_the_charset_has():
    lines = drawn("我以。《》,", {"我以": 1.0})
    words = [line for line in lines if "我以" in line and set(line) - set("我以")]
    assert {line.strip("我以") or line for line in words} >= {"。", "，"}
    assert any(line[0] == "《" and line[-1] == "》" and "我以" in line for line in words)
    assert all(len(line) <= 15 for line in lines) and not set("".join(lines)) & set("（）？！“”")
    plain = drawn("我以abc123", {"我以": 1.0})
    assert set("".join(plain).lower()) == set("我以abc123")


def test_frequent_characters_and_words_come_up_more_often():
    text = "".join(drawn(CHARACTERS, {"我以": 9.0, "不在的外": 1.0}, {"人": 100.0, "了": 1.0}))
    assert text.count("人") > 2 * text.count("了") > 0
    assert text.count("我以") > 200
