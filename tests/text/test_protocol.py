"""Evaluation protocols."""

import gc
import string
import sys
import warnings

import pytest

from dctc.text import PROTOCOLS, get_protocol, protocol


def needs_zhconv(name):
    if name == "chinese":
        pytest.importorskip("zhconv")


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("english36", "It's 5 PM", "its5pm"),
        ("english36", "CAFÉ-24/7", "caf247"),
        ("english36", "\u0130 K", "k"),  # dotted I: lower() makes an i and a dot of it
        ("english36", "cafe\u0301", "caf"),  # as composed
        ("english36", "\uff15\uff58", ""),  # full-width forms are not ASCII
        ("english36", "a_b\n", "ab"),
        ("english36", "", ""),
        ("english62", "It's 5 PM", "Its5PM"),
        ("english62", "a_B\u00b2", "aB"),
        ("english94", "It's 5 PM", "It's5PM"),
        ("english94", "[\\]^-é\t~", "[\\]^-~"),
        ("chinese_fold", "\uff23\uff34\uff23\u3000\uff01\uff5e A b", "ctc!~ab"),
        ("chinese_fold", "漢 字\t", "漢字\t"),  # spaces only
        ("chinese_fold", "\uff5f￥、。", "\uff5f￥、。"),  # no full-width form of ASCII
        ("chinese", "\uff23\uff34\uff23 漢字", "ctc汉字"),
        ("chinese", "我幹什麼不干你事。", "我干什么不干你事。"),  # zhconv's own example
        ("chinese", "乾隆", "乾隆"),  # a name: phrases go before characters
        ("chinese", "乾 隆", "乾隆"),  # spaces go before phrases
        ("chinese", "乾", "干"),
        ("chinese", "伊斯坦堡", "伊斯坦布尔"),  # a phrase may change its length
        ("verbatim", " a B\t中", " a B\t中"),
        ("verbatim", "Mu\u0308ller \u212b \uf92c", "M\u00fcller \u00c5 \uf92c"),
        ("chinese_fold", "E\u0301 \uf92c郎", "\u00e9\uf92c郎"),  # two classes of the benchmark
    ],
)
def test_golden(name, text, expected):
    needs_zhconv(name)
    assert get_protocol(name)(text) == expected


@pytest.mark.parametrize("name, size", [("english36", 62), ("english62", 62), ("english94", 94)])
def test_what_is_kept_of_printable_ascii(name, size):
    kept = get_protocol(name)(string.printable)
    assert len(kept) == size
    assert len(set(kept)) == int(name.removeprefix("english"))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_applying_a_protocol_twice_changes_nothing(name):
    needs_zhconv(name)
    text = "".join(map(chr, range(0x250)))
    once = get_protocol(name)(text)
    assert get_protocol(name)(once) == once


def test_an_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="protocol 'french': not one of english36, english62"):
        get_protocol("french")


def test_chinese_folds_first():
    """So labels that have passed chinese_fold are scored as the raw ones are."""
    zhconv = pytest.importorskip("zhconv.zhconv")
    chinese, fold = get_protocol("chinese"), get_protocol("chinese_fold")
    text = "\uff21型 肝炎、 執行長\uff0c漢\u3000字"
    assert chinese(text) == chinese(fold(text)) == zhconv.convert(fold(text), "zh-cn")


def test_without_zhconv_chinese_is_refused_at_once(monkeypatch):
    protocol._simplifier.cache_clear()
    monkeypatch.setitem(sys.modules, "zhconv", None)
    with pytest.raises(ValueError, match=r"zhconv is not installed; .*'dctc\[chinese\]'$"):
        get_protocol("chinese")


def test_the_table_of_zhconv_is_not_left_open(monkeypatch):
    zhconv = pytest.importorskip("zhconv.zhconv")
    monkeypatch.setattr(zhconv, "zhcdicts", None)
    monkeypatch.setattr(zhconv, "dict_zhcn", None)
    protocol._simplifier.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert get_protocol("chinese")("漢") == "汉"
        gc.collect()
    assert not caught
