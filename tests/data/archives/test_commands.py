"""``dctc data``: each verb from its command line."""

import json
import os
import shutil
import string
import warnings
from contextlib import suppress

import lmdb
import pytest
from PIL import Image

from dctc.cli import main as dctc
from dctc.data.archives import listing, sheet, stats
from dctc.data.archives.commands import VERBS
from dctc.data.archives.listing import list_sets
from dctc.data.archives.processes import ENDS
from dctc.data.archives.render_command import _has_records
from dctc.data.records import folders
from dctc.data.records.image_size import ImageSize
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.writer import Record, write_set
from dctc.data.render.fonts import Font
from dctc.data.render.typeface import matplotlib_folder
from dctc.text import Charset


@pytest.fixture
def root(tmp_path, write_lmdb, encode_image, monkeypatch):
    """A data root with one sound and one broken set."""
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "root"))
    monkeypatch.setenv("COLUMNS", "80")
    write_lmdb(tmp_path / "root" / "test" / "mine", [(encode_image(i), b"ab") for i in range(3)])
    write_lmdb(tmp_path / "root" / "test" / "SVT", [(encode_image(9), b"ab"), (b"", b"x")])
    return tmp_path / "root"


def ended(*args):
    """Run a verb that ends the program; return its code."""
    with pytest.raises(SystemExit) as exit:
        dctc(["data", *map(str, args)])
    return exit.value.code


def words(text):
    return " ".join(text.split())


@pytest.mark.parametrize("arguments", [[], ["lisst"], ["verify", "--workers", "0"]])
def test_wrong_arguments_end_with_2(arguments, refused):
    assert "usage: dctc data" in refused("data", *arguments, code=2)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["list"], "test/mine 3 - readable"),
        (["list"], "2 records where SVT has 647"),
        (["list"], "CUTE80 288 CUTE80 (C. S. Chan, University of Malaya)"),  # missing
        (["list"], "set records known as state"),
        (["verify", "test/mine"], "set records known as state repeats"),
        (["stats", "--frames", "1"], "labels 50/100% 1/50/99% height 50% chars fit 1, %"),
        (["stats", "--frames", "1"], "test/mine 3 3 2/2"),
        (["stats", "--frames", "1"], "needs up to 2 frames; most frequent ab"),
        (["fonts"], "DejaVuSans.ttf DejaVu Sans"),
    ],
)
def test_what_is_printed(root, capsys, monkeypatch, arguments, found):
    monkeypatch.chdir(root)
    dctc(["data", *arguments])
    printed = capsys.readouterr().out
    assert found in words(printed) and max(map(len, printed.splitlines())) <= 80


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("verb", ["list", "verify", "stats"])
def test_a_damaged_set_hides_no_sound_one(root, monkeypatch, capsys, verb, ends):
    """Every page but the first two is zeros; or LMDB follows it to where there is no memory."""
    data = root / "test" / "SVT" / "data.mdb"
    data.write_bytes(data.read_bytes()[:8192].ljust(data.stat().st_size, b"\0"))
    if ends:
        count = folders.count_records
        fatal = lambda path: os._exit(1) if path.name == "SVT" else count(path)  # noqa: E731
        for module in (listing, stats):
            monkeypatch.setattr(module, "count_records", fatal)
    if verb == "list":
        dctc(["data", "list"])
    else:
        assert ended(verb, root) == 1
    printed = words(capsys.readouterr().out)
    assert "test/mine 3" in printed
    assert (ENDS if ends else "data.mdb is damaged (mdb_get: MDB_CORRUPTED") in printed


def test_list_names_what_is_missing_where_there_is_no_data_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DCTC_DATA", raising=False)
    dctc(["data", "list"])
    out = capsys.readouterr().out
    assert "IIIT5K" in out and "DCTC_DATA" in out
    with pytest.raises(SystemExit):
        dctc(["data", "list", "--root", "absent"])


def test_list_shows_both_folders_of_one_set(root, write_lmdb, encode_image):
    write_lmdb(root / "evaluation" / "svt_647", [(encode_image(), b"ab")])
    states = {name: state for name, _, _, state in list_sets(root)[0].rows}
    also = "is named so too; keep one of them"
    assert states == {
        "evaluation/svt_647": f"1 records where SVT has 647; test/SVT {also}",
        "test/SVT": f"2 records where SVT has 647; evaluation/svt_647 {also}",
        "test/mine": "readable; no count known",
    }


def test_what_is_selected_from_another_set_is_not_missing(root, write_lmdb, encode_image):
    write_lmdb(root / "test" / "IC13_1015", [(encode_image(), b"ab")])
    sets, missing = list_sets(root)
    assert sets.notes == ["IC13_857 is selected from test/IC13_1015"]
    names = [row[0] for row in missing.rows]
    assert names == [
        *("IIIT5K", "IC15_1811", "IC15_2077", "SVTP", "CUTE80"),
        *("Scene", "Web", "Document", "Handwriting", "TAIGI_Hanji"),
    ]


def test_a_set_that_is_not_finished_is_named(root, encode_image, capsys, refused):
    def items(taken):
        yield from (Record(encode_image(i), "ab") for i in range(500))  # one transaction
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_set(root / "train" / "words", {"seed": 0}, items)
    dctc(["data", "list"])
    unfinished = "train/words.partial 0 - unfinished; run its command again"
    assert unfinished in words(capsys.readouterr().out)
    for path in (root / "train", root / "train" / "words.partial"):
        assert ended("verify", path, "--workers", 1) == 1
        printed = words(capsys.readouterr().out)
        assert "1 sets: 1 unfinished" in printed
        assert "UNFINISHED train/words.partial: run its command again" in printed
    assert "no LMDB" in refused("data", "stats", root / "train")


def test_verify_ends_with_1_where_something_is_broken(root, capsys, refused):
    assert ended("verify", "--workers", 1) == 1
    fault = "image cannot be decoded (UnidentifiedImageError): 1 records (2)"
    assert f"BROKEN test/SVT: {fault}" in words(capsys.readouterr().out)
    dctc(["data", "verify", str(root / "test" / "mine"), "--workers", "1"])
    assert "1 sets: 1 sound" in capsys.readouterr().out
    (root / "empty").mkdir()
    error = refused("data", "verify", root / "empty")
    assert "no LMDB (data.mdb) in it or below it" in error


@pytest.mark.parametrize("verb", ["list", "verify", "stats", "show", "convert"])
def test_names_and_labels_cannot_command_the_terminal(
    root, tmp_path, write_lmdb, encode_image, capsys, monkeypatch, verb
):
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[2J\u202e[red]"
    path = write_lmdb(root / "train" / name, [(encode_image(), b"a\x1b[2J")])
    (tmp_path / "t.tsv").write_text(f"{name}.png\tx\n")
    more = {"show": [path / name, "--out", "a.png"], "convert": ["table", "t.tsv", "--out", "o"]}
    with suppress(SystemExit):
        dctc(["data", verb, *map(str, more.get(verb, []))])
    said = "".join(capsys.readouterr())
    assert r"a\x1b[2J\u202e[red]" in said and not set("\x1b\u202e") & set(said)


@pytest.mark.parametrize(("name", "columns", "width"), [("a.png", 3, 1008), ("a.jpg", 45, 990)])
def test_show(root, tmp_path, capsys, name, columns, width):
    out = tmp_path / name
    path = str(root / "test" / "mine")
    dctc(["data", "show", path, "--out", str(out), "--columns", str(columns)])
    assert capsys.readouterr().out == f"written to {out}\n"
    assert Image.open(out).width == width


def test_show_names_a_set_that_ends_its_process(root, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(sheet, "count_records", lambda path: os._exit(1))
    path = root / "test" / "mine"
    error = refused("data", "show", path, "--out", tmp_path / "sheet.png")
    assert f"dctc: LMDB {path}: {ENDS}" in error


@pytest.mark.parametrize(
    ("out", "columns", "message"),
    [
        ("sheet", 3, r"sheet: names no format of images; let it end in .png"),
        ("sheet.tsv", 3, r"sheet.tsv: names no format of images"),
        ("none/sheet.png", 3, "sheet.png: there is no folder"),
        ("sheet.png", 2000, "2,000 columns: a sheet has room for 45 at most"),
    ],
)
def test_a_sheet_that_cannot_be_drawn(root, tmp_path, refused, out, columns, message):
    options = ["--columns", columns, "--out", tmp_path / out]
    assert message in refused("data", "show", root / "test" / "mine", *options)
    assert [p.name for p in tmp_path.iterdir()] == ["root"]


def test_sets_elsewhere_with_the_same_last_names_are_all_shown(
    root, tmp_path, write_lmdb, encode_image, capsys
):
    places = [tmp_path / one / "b" / "c" / "d" for one in "xy"]
    for path in places:
        write_lmdb(path, [(encode_image(), b"ab")])
    dctc(["data", "verify", *map(str, [*places, places[0]]), "--workers", "1"])
    assert "2 sets: 2 sound" in capsys.readouterr().out


def test_convert(root, tmp_path, encode_image, capsys):
    (tmp_path / "a.png").write_bytes(encode_image())
    (tmp_path / "labels.tsv").write_text("a.png\tword\nb.png\tnone\n")
    arguments = ["data", "convert", "table", str(tmp_path / "labels.tsv")]
    assert ended(*arguments[1:], "--out", tmp_path / "out") == 1
    assert "b.png: image missing" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="b.png: image missing .*left out and counted"):
        dctc([*arguments, "--out", str(tmp_path / "out"), "--lenient"])
    assert f"{tmp_path / 'out'}: 1 records, 1 words left out\n" in capsys.readouterr().out
    (tmp_path / "b.png").write_bytes(encode_image())  # comes too late
    dctc([*arguments, "--out", str(tmp_path / "out"), "--lenient"])
    assert "1 words left out; complete already, nothing was read" in capsys.readouterr().out


def test_alphabet(root, tmp_path, capsys):
    labels = ["--labels", str(root / "test" / "mine")]
    dctc(["data", "alphabet", *labels, "--out", str(tmp_path / "a")])
    assert capsys.readouterr().out == f"{tmp_path / 'a'}: 2 characters\n"
    for neither_or_both in ([], [*labels, "--top-k", "2"]):
        assert ended("alphabet", *neither_or_both, "--out", tmp_path / "b") == 1
    pytest.importorskip("wordfreq")
    dctc(["data", "alphabet", "--top-k", "2", "--out", str(tmp_path / "b")])
    written = Charset.load(str(tmp_path / "b")).characters
    assert written[:36] == string.digits + string.ascii_lowercase
    assert len(written) == 38 and written[36] == "的"


def test_render_goes_below_the_data_root(root, capsys):
    dctc(["data", "render", "--count", "3", "--workers", "1", "--width", "64"])
    folder = root / "train" / "rendered_en"
    assert capsys.readouterr().out.endswith(f"{folder}: 3 records\n")
    word = LmdbDataset(folder, "x", "english36", Charset.load("36"), ImageSize(32, 64))[0]
    assert word.image.shape == (32, 64, 3) and word.extents is not None


LINES = ["data", "render", "--language", "zh", "--count", "2", "--workers", "1"]


@pytest.mark.filterwarnings("ignore:rendered. . of .* characters are in no font")
def test_a_chinese_rendering_keeps_its_characters_beside_it(root, monkeypatch, capsys, refused):
    pytest.importorskip("wordfreq")
    sans = str(matplotlib_folder() / "DejaVuSans.ttf")
    fonts = [Font(sans, frozenset(string.digits + string.ascii_letters + "的"))]
    monkeypatch.setattr("dctc.data.archives.render_command.find_fonts", {"system": fonts}.get)
    dctc([*LINES, "--top-k", "2"])
    said = "draws 63 characters, 1 of them Chinese; 1 are in no font: recipe.json has them\n"
    assert capsys.readouterr().out.startswith(said)
    file, folder = root / "train" / "rendered_zh.charset.txt", root / "train" / "rendered_zh"
    assert json.loads((folder / "recipe.json").read_text())["left_out"] == "是"
    assert len(Charset.load(str(file))) == 38
    assert "was begun with top_k 2, not 3" in refused(*LINES, "--top-k", 3)
    assert len(Charset.load(str(file))) == 38
    # Of a set that was cut off they are its own too, but not where nothing is left of it
    partial = folder.rename(folder.with_name("rendered_zh.partial"))
    assert _has_records(folder)
    shutil.rmtree(partial)
    lmdb.open(str(partial)).close()
    assert not _has_records(folder)
    dctc([*LINES, "--top-k", "3"])
    assert len(Charset.load(str(file))) == 39


def test_chinese_lines_without_a_chinese_font_are_an_error(root, refused):
    pytest.importorskip("wordfreq")
    error = refused(*LINES, "--top-k", 2, "--fonts", matplotlib_folder())
    assert "no font draws a Chinese character of the charset; tried" in error
    assert not (root / "train" / "rendered_zh").exists()


def test_warnings_are_lines_without_code(monkeypatch, capsys):
    def warn(options):
        print(warnings.formatwarning(UserWarning("look"), UserWarning, "a.py", 3), end="")
        print(warnings.formatwarning(Warning("old"), DeprecationWarning, "a.py", 3), end="")

    monkeypatch.setitem(VERBS, "list", (warn, []))
    dctc(["data", "list"])
    assert capsys.readouterr().out == "dctc: look\na.py:3: DeprecationWarning: old\n"
    assert warnings.formatwarning(UserWarning("x"), UserWarning, "a.py", 3).startswith("a.py:3")
