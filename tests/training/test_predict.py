"""``dctc predict RUN --images``: against what the images were painted to say."""

import csv

import pytest
import torch
import yaml

from dctc.cli import main
from dctc.data.records.images import ImageSize, open_images
from dctc.training.predict import read_images
from tiny import HEIGHT, WIDTH, PixelNet, encode_text, make_module

SIZE = ImageSize(HEIGHT, WIDTH)


def rows_of(file):
    with open(file, newline="", encoding="utf-8") as stream:
        head, *rows = csv.reader(stream, delimiter="\t")
    assert head == ["key", "prediction", "confidence", "label"]
    return rows


@pytest.fixture
def folder(tmp_path):
    """Images of a.png: ``one``, b/c.png: broken, d.png: ``two`` and so on."""
    folder = tmp_path / "images"
    (folder / "b").mkdir(parents=True)
    for name, text in (("a", "one"), ("d", "two"), ("e", "three")):
        (folder / f"{name}.png").write_bytes(encode_text(text))
    (folder / "b" / "c.png").write_bytes(b"broken")
    return folder


@pytest.fixture
def run(tmp_path):
    """The folder of a run of PixelNet, which reads what is painted."""
    folder = tmp_path / "run"
    module = make_module(PixelNet)
    config = {
        "model": {
            "net": {"class_path": "tiny.PixelNet"},
            "tokenizer": {"class_path": "dctc.text.CTCTokenizer", "init_args": {"charset": "36"}},
        },
        "data": {"class_path": "x", "init_args": {"height": HEIGHT, "width": WIDTH}},
    }
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    stored = {"state_dict": module.state_dict(), "charset": module.tokenizer.charset.characters}
    torch.save(stored, folder / "checkpoints" / "final.ckpt")
    return folder


@pytest.mark.parametrize("batch_size", [1, 2, 128])
def test_a_folder_is_read_in_order_and_nothing_is_lost(folder, tmp_path, batch_size):
    file = tmp_path / "new" / "out.tsv"
    with pytest.warns(UserWarning, match=r"b/c\.png: image cannot be decoded"):
        count = read_images(
            make_module(PixelNet), open_images(folder, SIZE), file, batch_size, num_workers=0
        )
    assert (count.images, count.unread) == (4, 1) and count.seconds > 0
    rows = rows_of(file)
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("a.png", "one", ""),
        ("b/c.png", "", ""),
        ("d.png", "two", ""),
        ("e.png", "three", ""),
    ]
    assert rows[1][2].startswith("not read: image cannot be decoded")
    # 16 frames, each with probability e^10 / (e^10 + 36) of its class
    assert [float(rows[i][2]) for i in (0, 2, 3)] == pytest.approx([0.974] * 3, abs=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*b/c.png")
def test_workers_change_nothing(folder, tmp_path):
    for workers in (0, 2):
        images = open_images(folder, SIZE)
        read_images(make_module(PixelNet), images, tmp_path / f"{workers}", 2, workers)
    assert (tmp_path / "0").read_bytes() == (tmp_path / "2").read_bytes()


def test_an_lmdb_with_labels_under_the_protocol(tmp_path, write_lmdb):
    texts = [("one", b"One!"), ("two", b"2wo"), ("three", None)]
    path = write_lmdb(tmp_path / "set", [(encode_text(text), label) for text, label in texts])
    read_images(make_module(PixelNet), open_images(path, SIZE), tmp_path / "out.tsv", num_workers=0)
    assert [[row[0], row[1], row[3]] for row in rows_of(tmp_path / "out.tsv")] == [
        ["set/1", "one", "one"],
        ["set/2", "two", "2wo"],
        ["set/3", "three", ""],
    ]


def test_what_breaks_off_leaves_no_file_of_that_name(folder, tmp_path):
    module = make_module(PixelNet)
    module.read = None
    with pytest.raises(TypeError):
        read_images(module, open_images(folder / "a.png", SIZE), tmp_path / "out.tsv", 1, 0)
    assert not (tmp_path / "out.tsv").exists()


@pytest.mark.filterwarnings("ignore:.*b/c.png")
@pytest.mark.parametrize("named", ["folder", "config"])
def test_the_command(run, folder, capsys, named, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    what = run if named == "folder" else run / "config.yaml"
    (folder / "notes.txt").write_text("x")
    main(["predict", str(what), "--images", str(folder), "--num_workers=0"])
    file = run / "images.tsv"
    assert [row[1] for row in rows_of(file)] == ["one", "", "two", "three"]
    printed = capsys.readouterr()
    assert "4 images in" in printed.out and str(file) in printed.out
    assert printed.out.splitlines()[-1].endswith("no images: 1")
    assert printed.err.startswith("1 of them could not be read")


def test_the_command_takes_an_output_and_a_checkpoint(run, folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    other = run / "other.ckpt"
    (run / "checkpoints" / "final.ckpt").rename(other)
    image = f"--images={folder / 'a.png'}"
    options = [image, f"--out={tmp_path / 'x.tsv'}", "--num_workers=0"]
    with pytest.raises(SystemExit):
        main(["predict", str(run), *options])
    assert "final.ckpt" in capsys.readouterr().err
    main(["predict", str(run), *options, f"--ckpt_path={other}"])
    assert [row[:2] for row in rows_of(tmp_path / "x.tsv")] == [["a.png", "one"]]


def test_predictions_can_be_scored(run, tmp_path, write_lmdb, capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    texts = [("one", b"One!"), ("two", b"2wo")]
    path = write_lmdb(tmp_path / "set", [(encode_text(text), label) for text, label in texts])
    main(["predict", str(run), f"--images={path}", "--num_workers=0"])
    main(["score", str(run / "images.tsv"), "--protocol=english36"])
    assert "50.00" in capsys.readouterr().out
