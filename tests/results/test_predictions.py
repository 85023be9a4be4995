"""Files of predictions in both forms, whole and broken."""

import gzip
import lzma
import re

import pytest

from dctc.results.predictions import read_predictions


@pytest.fixture
def write(tmp_path):
    def write(text, name="p.txt"):
        data = text if isinstance(text, bytes) else text.encode()
        packed = {".xz": lzma.compress, ".gz": gzip.compress}.get(name[-3:], bytes)(data)
        (tmp_path / name).write_bytes(packed)
        return tmp_path / name

    return write


def read(file):
    return list(read_predictions(file))


@pytest.mark.parametrize("name", ["p.txt", "p.txt.xz", "p.txt.gz"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_the_published_form(write, name, bom):
    file = write(f"{bom}0 [欢迎] [欢迎]\n1 [] [a]\n", name)
    assert read(file) == [("0", "欢迎", "欢迎"), ("1", "", "a")]


@pytest.mark.parametrize(
    ("line", "prediction", "label"),
    [
        ("7 [[注]] [[注]]", "[注]", "[注]"),
        ("7 [a]b] [c[d]", "a]b", "c[d"),
        ("7 [[] []]", "[", "]"),
        ("7 [a][b] [c]", "a][b", "c"),
        ("7 [a b] [ c ]", "a b", " c "),
        ("7 [a\tb] [c]", "a\tb", "c"),
        ("7 [a\x85\u2028b] [c\x0b]", "a\x85\u2028b", "c\x0b"),  # line breaks to splitlines()
        ("7 [] []\r", "", ""),
        ('7 ["a] [b]', '"a', "b"),
    ],
)
def test_what_may_stand_in_brackets(write, line, prediction, label):
    assert read(write(f"{line}\n8 [x] [y]")) == [("7", prediction, label), ("8", "x", "y")]


TABLE = "key\tprediction\tlabel\n"
FORM = "is not of the form 'index [prediction] [label]'"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        *(
            ("p.txt", f"0 [a] [b]\n{line}\n", f"p.txt:2: {line!r} {FORM}")
            for line in ("x [a] [b]", "1 [a]", "1 [a] [b", "1 a b", "1 [a]  [b]", "1 [a] [b] ")
        ),
        ("p.txt", "0 [a] [b] [c]\n", "[c]' " + FORM + ", and '] [' only once"),
        ("p.txt", "12 [foo, bar\n", f"p.txt:1: '12 [foo, bar' {FORM}"),
        ("p.txt", "4 [a] [b]\n5 [a] [b]\n4 [a] [b]\n", "p.txt:3: key 4 also occurs in line 1"),
        ("p.txt", "", "p.txt: no predictions in it"),
        ("p.txt", "0 [汉] [字]\n".encode("gb18030"), "p.txt:1: is not UTF-8"),
        ("p.tsv", TABLE, "p.tsv: no predictions in it"),
        ("p.tsv", "key\tprediction\tx\n1\ta\t0.5\n", "p.tsv:1: no column 'label' among key, pred"),
        ("p.tsv", f"{TABLE}1\ta\tb\n2\ta\n", "p.tsv:3: 2 columns where the head has 3"),
        ("p.tsv", f'{TABLE}1\ta\tb\n2\ta\t"b\n', "p.tsv:3: '2\\ta\\t\"b' has a quote"),
        # two quotes that are not closed, each in its line: neither takes the lines between
        ("p.tsv", f'{TABLE}a\t"x\tx\nb\ty\ty\nc\tz"\tz\n', "p.tsv:2: 'a\\t\"x\\tx' has a quote"),
        ("p.tsv", f'{TABLE}a\tx\tx\nb\t"y\n2"\ty\n', "p.tsv:3: 'b\\t\"y' has a quote"),
        (
            "p.tsv",
            f"{TABLE}a\tx\tx\nb\t".encode() + b"\xe4\ty\n",
            "p.tsv:3: is not UTF-8 (byte 0xE4",
        ),
        ("p.tsv", "key;prediction\na;x\n", "p.tsv:1: no column 'label' among key, prediction"),
    ],
)
def test_what_is_wrong_is_named(write, name, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(write(text, name))


def test_a_table_that_a_spreadsheet_saved(tmp_path):
    content = 'key,prediction,label\r\na,"say ""hi""","say ""hi"""\r\nb,\'=1+1,\'=1+1\r\n'
    (tmp_path / "p.csv").write_text(content, encoding="utf-8-sig", newline="")
    texts = [("a", 'say "hi"'), ("b", "=1+1")]
    assert read(tmp_path / "p.csv") == [(key, text, text) for key, text in texts]


@pytest.mark.parametrize("name", ["p.txt.xz", "p.txt.gz"])
def test_a_file_that_is_cut_off_is_not_packed_or_is_not_there(write, tmp_path, name):
    file = write("".join(f"{i} [{i * 7919 % 104729}] [b]\n" for i in range(5000)), name)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{name}: cut off or damaged"):
        read(file)
    file.write_bytes(b"0 [a] [b]\n")
    with pytest.raises(ValueError, match=f"{name}: cut off or damaged"):
        read(file)
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        read(tmp_path / "none.txt")
