"""``dctc read``: what it prints, as text and as JSON, and the sheet that it draws."""

import json
import os
import shutil
import sys

import lmdb
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dctc import cli
from dctc.cli import main
from tiny import encode_text, run_python

pytestmark = pytest.mark.filterwarnings("ignore:.*c.png")  # cannot be decoded


def test_text_confidence_and_path_of_each_image(run, folder, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["read", str(folder), "--model", str(run)])
    printed = capsys.readouterr()
    assert ended.value.code == 1  # one could not be read
    rows = [line.split("\t") for line in printed.out.splitlines()]
    assert rows == [
        ["0.9984", "one", f"{folder}/a.png"],
        ["-", "", f"{folder}/b/c.png"],
        ["0.9984", "two", f"{folder}/d.png"],
        ["0.9984", "three", f"{folder}/e.png"],
    ]


def test_files_in_the_order_given_as_predict_reads_them(run, folder, write_lmdb, capsys):
    records = [(encode_text("four"), b"x"), (encode_text("five"), b"y")]
    path = write_lmdb(folder / "set", records)
    files = [folder / "e.png", path, folder / "a.png", folder / "e.png"]
    main(["read", *map(str, files), "--model", str(run / "config.yaml"), "--json"])
    read = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["text"] for one in read] == ["three", "four", "five", "one", "three"]
    assert read[1]["image"] == "set/1" and read[0]["image"] == str(folder / "e.png")
    main(["predict", str(run), f"--images={folder / 'e.png'}", "--num_workers=0"])
    row = (run / "images.tsv").read_text().splitlines()[1].split("\t")
    assert row == ["e.png", read[0]["text"], f"{read[0]['confidence']:.4f}", ""]


def test_characters_with_their_boxes(run, folder, capsys):
    file = str(folder / "a.png")
    main(["read", file, "--model", str(run), "--boxes"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["  0.9984\to\t0 0 6 8", "  0.9984\tn\t6 0 14 8", "  0.9984\te\t14 0 22 8"]
    main(["read", file, "--model", str(run), "--boxes", "--json"])
    (read,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert read["characters"][1] == {"character": "n", "confidence": 0.9984, "box": [6, 0, 14, 8]}
    main(["read", file, "--model", str(run), "--characters"])
    assert capsys.readouterr().out.splitlines()[1:] == [f"  0.9984\t{c}" for c in "one"]


def test_a_sheet_with_images_readings_and_boxes(run, folder, tmp_path, capsys, refused):
    plain, boxed = tmp_path / "plain.png", tmp_path / "boxed.png"
    files = [str(folder / name) for name in ("a.png", "d.png")]
    main(["read", *files, "--model", str(run), "--show", str(plain)])
    main(["read", *files, "--model", str(run), "--boxes", "--show", str(boxed)])
    assert capsys.readouterr().err == f"{plain}: 2 images\n{boxed}: 2 images\n"
    red = [(np.asarray(Image.open(file)) == (200, 0, 0)).all(2).sum() for file in (plain, boxed)]
    assert red[0] == 0 < red[1]
    error = refused("read", *files, "--model", run, "--show", tmp_path / "no" / "x.png")
    assert "there is no folder" in error
    before = (folder / "a.png").read_bytes()
    for given in (files, [folder]):
        error = refused("read", *given, "--model", run, "--show", folder / "b" / ".." / "a.png")
        assert "is one of the images" in error and (folder / "a.png").read_bytes() == before


@pytest.mark.skipif(sys.platform != "linux", reason="file names are UTF-8 elsewhere")
def test_a_file_name_that_is_not_utf_8_is_valid_json(run, folder, tmp_path, capsys):
    name = str(tmp_path / os.fsdecode(b"f\xfcr.png"))
    shutil.copy(folder / "a.png", name)
    main(["read", name, "--model", str(run), "--json"])
    line = capsys.readouterr().out
    line.encode()
    assert json.loads(line)["image"] == name


def test_a_broken_image_has_no_boxes_and_stops_nothing(run, folder, tmp_path, capsys):
    for more in ([], ["--json"]):
        with pytest.raises(SystemExit) as ended:
            sheet = ["--show", str(tmp_path / "sheet.png")]
            main(["read", str(folder), "--model", str(run), "--boxes", *sheet, *more])
        printed = capsys.readouterr()
        assert ended.value.code == 1 and f"{folder}/e.png" in printed.out
        assert "sheet.png: 4 images" in printed.err
    broken = json.loads(printed.out.splitlines()[1])
    assert broken["image"].endswith("b/c.png") and broken.keys() == {"image", "error"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere.png", "--model", "{run}"], "nowhere.png: neither a folder nor a file"),
        (["{file}", "--model", "nowhere"], "nowhere: no folder of a run or of weights"),
        (["{file}", "--model", "{file}"], "not a YAML file"),
        (
            ["{folder}/words.lmdb", "--model", "{run}"],
            "words.lmdb: is a single file; make a fold",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(run, folder, options, message, refused):
    lmdb.open(str(folder / "words.lmdb"), subdir=False).close()
    places = {"run": run, "file": folder / "a.png", "folder": folder}
    error = refused("read", *(one.format(**places) for one in options))
    assert message in error and len(error.splitlines()) == 2


@pytest.mark.parametrize("model", [[], ["--model", "scene_dctc"]], ids=["usual", "twin"])
def test_packaged_weights_read_without_a_training(model, tmp_path, capsys):
    font = ImageFont.load_default(size=40)
    for word in ("Hotel", "reading"):
        _, _, right, bottom = font.getbbox(word)
        image = Image.new("RGB", (int(right) + 16, int(bottom) + 16), "white")
        ImageDraw.Draw(image).text((8, 4), word, "navy", font)
        image.save(tmp_path / f"{word}.png")
    main(["read", str(tmp_path), *model])
    assert [line.split("\t")[1] for line in capsys.readouterr().out.splitlines()] == [
        "hotel",
        "reading",
    ]


def test_reading_imports_neither_lightning_nor_wandb():
    """They take seconds, and a first reading is to be there soon."""
    program = "import sys\nfrom dctc.training.machine import without_wandb\n"
    program += "with without_wandb():\n import dctc.reading.read\n"
    done = run_python("-c", program + "print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    heavy = {"pytorch_lightning", "torchmetrics", "pandas", "scipy", "matplotlib"}
    assert "torch" in loaded and not loaded & heavy
    assert "wandb.sdk" not in done.stdout.split() and cli.COMMANDS["read"] == "dctc.reading.read"
