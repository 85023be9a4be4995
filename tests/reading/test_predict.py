"""``dctc predict MODEL --images``: against what the images were painted to say."""

import csv

import pytest
from PIL import Image

from dctc.cli import main
from dctc.data.records.image_size import ImageSize
from dctc.data.records.lmdb import open_images
from dctc.reading.predict import read_images
from tiny import HEIGHT, WIDTH, encode_text, held_by_another, pixel_reader

pytestmark = pytest.mark.filterwarnings("ignore:.*b/c.png")  # cannot be decoded

SIZE = ImageSize(HEIGHT, WIDTH)


def rows_of(file):
    with open(file, newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream, delimiter="\t")
    assert head == ["key", "prediction", "confidence", "label"]
    return rows


@pytest.mark.parametrize("batch_size, workers", [(1, 0), (128, 0), (2, 2)])
def test_a_folder_is_read_in_order_and_nothing_is_lost(folder, tmp_path, batch_size, workers):
    file = tmp_path / "new" / "out.tsv"
    images = open_images(folder, SIZE)
    assert read_images(pixel_reader(), images, file, batch_size, workers) == (4, 1)
    rows = rows_of(file)
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("a.png", "one", ""),
        ("b/c.png", "", ""),
        ("d.png", "two", ""),
        ("e.png", "three", ""),
    ]
    assert rows[1][2].startswith("not read: image cannot be decoded")
    # each frame has probability e^10 / (e^10 + 36) of its class
    assert [float(rows[i][2]) for i in (0, 2, 3)] == pytest.approx([0.9984] * 3, abs=1e-4)


def test_an_lmdb_is_read_under_the_protocol_and_can_be_scored(run, tmp_path, write_lmdb, capsys):
    texts = [("one", b"One!"), ("two", b"2wo")]
    path = write_lmdb(tmp_path / "set", [(encode_text(text), label) for text, label in texts])
    main(["predict", str(run), f"--images={path}", "--num_workers=0"])
    assert [[row[0], row[1], row[3]] for row in rows_of(run / "images.tsv")] == [
        ["set/1", "one", "one"],
        ["set/2", "two", "2wo"],
    ]
    main(["score", str(run / "images.tsv"), "--protocol=english36"])
    assert "50.00" in capsys.readouterr().out


def test_what_breaks_off_leaves_no_file_of_that_name(folder, tmp_path):
    reader = pixel_reader()
    reader.protocol = None
    with pytest.raises(TypeError):
        read_images(reader, open_images(folder / "a.png", SIZE), tmp_path / "out.tsv", 1, 0)
    assert not (tmp_path / "out.tsv").exists()


def test_two_do_not_write_one_file(run, folder, tmp_path, refused):
    out = tmp_path / "new" / "out.tsv"
    with held_by_another(out):
        error = refused("predict", run, f"--images={folder}", f"--out={out}", "--num_workers=0")
    assert f"dctc: {out}: another process is writing this file; wait" in error
    assert not list(out.parent.iterdir())


def test_the_command_takes_a_run(run, folder, capsys):
    (folder / "notes.txt").write_text("x")
    main(["predict", str(run), "--images", str(folder), "--num_workers=0"])
    file = run / "images.tsv"
    assert [row[1] for row in rows_of(file)] == ["one", "", "two", "three"]
    printed = capsys.readouterr()
    assert "4 images in" in printed.out and str(file) in printed.out
    assert printed.out.splitlines()[-1].endswith("skipped 1 files that are not images")
    assert printed.err.startswith("1 of them could not be read")


def test_the_command_takes_a_configuration_and_a_checkpoint(run, folder, tmp_path, refused):
    other, out = run / "other.ckpt", tmp_path / "x.tsv"
    (run / "checkpoints" / "final.ckpt").rename(other)
    options = [f"--images={folder / 'a.png'}", f"--out={out}", "--num_workers=0"]
    assert "final.ckpt" in refused("predict", run, *options)
    main(["predict", str(run / "config.yaml"), *options, f"--ckpt_path={other}"])
    assert [row[:2] for row in rows_of(out)] == [["a.png", "one"]]


def test_tall_images_are_turned_on_demand_or_as_in_training(run, folder, tmp_path):
    """``one`` on its side: turned to the right on demand, or where the run was trained so."""
    out, config = tmp_path / "x.tsv", run / "config.yaml"
    with Image.open(folder / "a.png") as image:
        image.rotate(90, expand=True).save(folder / "a.png")

    def read(*options):
        images = [f"--images={folder / 'a.png'}", f"--out={out}", "--num_workers=0"]
        main(["predict", str(run), *images, *options])
        return rows_of(out)[0][1]

    assert read("--rotate_tall=right") == "one" != read()
    config.write_text(config.read_text().replace("height:", "rotate_tall: right\n    height:"))
    assert read() == "one" != read("--rotate_tall=off")
