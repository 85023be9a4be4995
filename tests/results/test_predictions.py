"""Files of predictions in both forms, whole and broken."""

import csv
import gzip
import lzma

import pytest

from dctc.results.score import Prediction, read_predictions


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


@pytest.mark.parametrize(
    "line",
    ["x [a] [b]", "1 [a]", "1 [a] [b", "1 a b", "", "1 [a]  [b]", "1 [a] [b] ", "[a] [b]"],
)
def test_a_malformed_line_is_named(write, line):
    file = write(f"0 [a] [b]\n{line}\n")
    with pytest.raises(ValueError, match="is not of the form") as caught:
        read(file)
    assert str(caught.value).startswith(f"{file}:2: {line!r} is not")


def test_a_line_that_can_be_taken_apart_in_two_ways_is_refused(write):
    with pytest.raises(ValueError, match=r"p.txt:1: .* and '\] \[' only once$"):
        read(write("0 [a] [b] [c]\n"))


def test_a_key_that_stands_there_twice(write):
    with pytest.raises(ValueError, match=r"p.txt:3: key 4 also occurs in line 1"):
        read(write("4 [a] [b]\n5 [a] [b]\n4 [a] [b]\n"))


def test_a_table_as_a_run_writes_it(tmp_path):
    rows = [("set/1", 'a"b', "c\td", 0.5), ("set/2", "x\ny", "", 1.0), ("set/3", "", "[z] [z]", 0)]
    file = tmp_path / "set.tsv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(("key", "label", "prediction", "confidence"))
        writer.writerows(rows)
    assert read(file) == [Prediction(key, read, label) for key, label, read, _ in rows]


def test_a_table_without_labels(write):
    with pytest.raises(ValueError, match=r"p.tsv:1: no column 'label' among key, prediction, conf"):
        read(write("key\tprediction\tconfidence\n1\ta\t0.5\n", "p.tsv"))


@pytest.mark.parametrize(
    ("row", "message"),
    [("2\ta", "p.tsv:3: 2 columns where the head has 3"), ('2\ta\t"b', "p.tsv:3: unexpected end")],
)
def test_a_broken_row_is_named(write, row, message):
    with pytest.raises(ValueError, match=message):
        read(write(f"key\tprediction\tlabel\n1\ta\tb\n{row}\n", "p.tsv"))


@pytest.mark.parametrize("text", ["", "key\tprediction\tlabel\n"])
def test_an_empty_file(write, text):
    with pytest.raises(ValueError, match=r"p.txt: no predictions in it"):
        read(write(text))


@pytest.mark.parametrize("name", ["p.txt.xz", "p.txt.gz"])
def test_a_file_that_is_cut_off(write, name):
    file = write("".join(f"{i} [{i * 7919 % 104729}] [b]\n" for i in range(5000)), name)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=f"{name}: cut off or damaged"):
        read(file)
    file.write_bytes(b"0 [a] [b]\n")
    with pytest.raises((ValueError, OSError)):  # gzip raises an OSError of its own
        read(file)


def test_a_file_that_is_not_utf8(write):
    with pytest.raises(ValueError, match=r"p.txt: not UTF-8"):
        read(write("0 [汉] [字]\n".encode("gb18030")))


def test_a_file_that_does_not_exist(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        read(tmp_path / "none.txt")
