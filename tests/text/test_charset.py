"""Charsets by name and from files."""

import string
import time

import pytest

from dctc.text import Charset
from dctc.text.charset import NAMED


@pytest.mark.parametrize(
    "name, characters",
    [
        ("36", string.digits + string.ascii_lowercase),
        ("62", string.digits + string.ascii_letters),
        ("94", "".join(map(chr, range(33, 127)))),
    ],
)
def test_named_charsets(name, characters):
    charset = Charset.load(name)
    assert len(charset) == int(name)
    assert set(charset.characters) == set(characters)
    # in the order of digits, lower case, upper case, punctuation
    whole = string.digits + string.ascii_lowercase + string.ascii_uppercase
    assert charset.characters.startswith(whole[: int(name)])


@pytest.mark.parametrize(
    "content, characters",
    [
        ("ab", "ab"),
        ("b\na\n", "ba"),
        ("a\r\nb\r\n", "ab"),
        ("a b", "a b"),
        ("中\u3000文\n", "中\u3000文"),
        ("\ufeffab", "ab"),
        ("\U00020000a", "\U00020000a"),
        ("a\n \n\u3000\nb", "a \u3000b"),
        ("au\u0308o\u0308e\n\u0301\n", "a\u00fc\u00f6e\u0301"),  # of two lines nothing is composed
        ("郎\uf92c", "郎\uf92c"),  # two classes of the Chinese benchmark, one in NFC
    ],
    ids=["line", "lines", "CRLF", "space", "wide", "BOM", "astral", "blanks", "accents", "twins"],
)
def test_file(tmp_path, content, characters):
    file = tmp_path / "charset.txt"
    file.write_bytes(content.encode())
    assert Charset.load(str(file)).characters == characters


@pytest.mark.parametrize(
    "content, message",
    [
        (b"abc a", "line 1: a stands in line 1 already"),
        ("a\u030a\nb\n\u212b\n\u00e5".encode(), "line 4: \u00e5 stands in line 1 already"),
        (b"a\nb \nc", "line 2: 'b ' has a blank at its end"),
        (b"a\nb\t\r\nc", "line 2: 'b\\\\t' has a blank at its end"),
        ("a\n\ufeffb".encode(), r"line 2: a byte order mark \(U\+FEFF\) inside"),
        (b"", r"charset.txt': the file holds no character"),
        (b"\n\r\n", "holds no character"),
        (b"a\n\xfc", "charset.txt', line 2: not UTF-8"),
    ],
)
def test_a_file_that_is_no_charset(tmp_path, content, message):
    file = tmp_path / "charset.txt"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        Charset.load(str(file))


def test_characters_that_cannot_be_seen_are_named(tmp_path):
    file = tmp_path / "charset.txt"
    file.write_text("a\u200b\u00adb\ue000\u200c", encoding="utf-8")
    with pytest.warns(match=r"U\+200B U\+E000 cannot be seen"):
        assert len(Charset.load(str(file))) == 6


def test_neither_name_nor_file(tmp_path):
    for wrong in ("37", str(tmp_path / "missing.txt"), str(tmp_path)):
        with pytest.raises(ValueError, match="neither one of 36, 62, 94 nor a file"):
            Charset.load(wrong)


def test_a_list_of_words_is_refused_at_once(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(f"word{i}" for i in range(200_000)))
    begun = time.perf_counter()
    with pytest.raises(ValueError, match=r"line 2: w stands in line 1 already.*list of words"):
        Charset.load(str(tmp_path / "words.txt"))
    assert time.perf_counter() - begun < 10


def test_only_single_characters_are_in_a_charset():
    charset = Charset("abc")
    assert "b" in charset
    assert not any(other in charset for other in ("ab", "", "B", 1))


def test_a_charset_of_several_parts_may_lie_in_a_folder_with_a_plus(tmp_path, monkeypatch):
    (tmp_path / "a+b").mkdir()
    (tmp_path / "a+b" / "chars.txt").write_text("xyé")
    name = f"36+{tmp_path}/a+b/chars.txt"
    assert Charset.load(name).characters == NAMED["36"] + "é"
    monkeypatch.chdir(tmp_path)
    assert Charset.load("a+b/chars.txt").characters == "xyé"
    assert Charset.load("a+b/chars.txt+36").characters[:4] == "xyé0"
    with pytest.raises(ValueError, match=r"charset 'a\+c/chars.txt': neither"):
        Charset.load("36+a+c/chars.txt")


def test_characters_that_nfc_takes_apart_may_stand_beside_their_parts(tmp_path):
    """Bengali YYA is YA and a nukta in NFC, which labels are in too."""
    for given, read in (
        ("\u09af\n\u09df\n\u09dc", "\u09af\u09bc\u09a1"),
        ("\u09df\n\u09af\n\u09bc", "\u09af\u09bc"),
    ):
        (tmp_path / "chars.txt").write_text(given, encoding="utf-8")
        assert Charset.load(str(tmp_path / "chars.txt")).characters == read
    (tmp_path / "chars.txt").write_text("\u09af\n\u09df\n\u09af", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3: .* stands in line 1"):
        Charset.load(str(tmp_path / "chars.txt"))
