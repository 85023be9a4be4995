"""dctc finetune: from an ONNX file and a folder of labelled images to a run that reads them."""

import json
from pathlib import Path

import pytest
import yaml

from dctc.cli import main
from dctc.data.catalogue import DOCUMENTS
from dctc.data.english import EnglishDataModule
from dctc.models import TimmRecognizer
from dctc.runs.folder import PACKAGED, weights_file
from dctc.runs.net import load_model
from dctc.text import Charset
from dctc.training.finetune import ONNX_RATE, OWN_RATE, read_all_labels, starting_net
from models.onnx_graphs import CHARACTERS, write_recognizer
from tiny import make_module, save_run


@pytest.fixture
def data(tmp_path, runs, write_lmdb, encode_image):
    """Twenty labelled images, one with a character that the net does not know."""
    records = [
        (encode_image(i, 90, 24), ["abc", "Cab", "b文 1"][i % 3].encode()) for i in range(20)
    ]
    write_lmdb(tmp_path / "mine", records)
    return tmp_path / "mine"


def test_before_and_after(data, tmp_path, capsys):
    net = write_recognizer(tmp_path)
    command = ["finetune", str(data), "--from", str(net), "--steps", "2", "--log", "off"]
    command += ["--batch_size", "4", "--name", "mine", "--loss", "dctc"]
    main(command)
    out = capsys.readouterr().out
    assert "before" in out and "rendered words" in out
    assert f"{len(CHARACTERS) + 1} of {len(CHARACTERS) + 1} characters kept" in out
    config = yaml.safe_load((tmp_path / "runs/mine/config.yaml").read_text())
    charset = Charset.load(config["model"]["tokenizer"]["init_args"]["charset"])
    assert set(charset.characters) == {*map(chr, range(32, 127)), "文"}
    labels = json.loads((tmp_path / "runs/mine/labels.json").read_text())
    assert labels["train"]["labels"] == 18 and labels["held_out"]["labels"] == 2
    assert not labels["train"]["left_out"]
    main(["predict", str(tmp_path / "runs/mine"), "--images", str(data)])
    assert len((tmp_path / "runs/mine/images.tsv").read_text().splitlines()) == 21
    main(command)  # there is nothing left to train
    out = capsys.readouterr().out
    assert "mine is finished, and not trained again" in out and "before" in out
    assert config["data"]["init_args"]["train"] == [str(data)]
    main(["export", str(tmp_path / "runs/mine"), "--to", "onnx"])
    own = tmp_path / "runs/mine/net.onnx"
    with pytest.raises(SystemExit, match=r"net\.onnx, which is in its own folder"):
        main(["finetune", str(data), "--from", str(own), "--name", "mine", "--log", "off"])
    command[command.index(str(net))] = str(tmp_path / "runs/mine")
    main([*command, "--name", "again"])
    assert "96 of 96 characters kept, 0 added, 0 dropped" in capsys.readouterr().out
    again = yaml.safe_load((tmp_path / "runs/again/config.yaml").read_text())["data"]["init_args"]
    assert (again["height"], again["keep_ratio"]) == (48, True)
    with pytest.raises(SystemExit, match="in its own folder; take another --name"):
        main(command)
    # moved, and without the file that the charset was read from
    for charsets in (tmp_path / "runs" / "charsets").iterdir():
        charsets.unlink()
    moved = (tmp_path / "runs/mine").rename(tmp_path / "moved")
    assert load_model(moved).tokenizer.charset == charset


def test_every_set_of_a_folder_is_named_and_tall_images_are_turned(data, tmp_path, capsys):
    data.rename(tmp_path / "📁")
    (tmp_path / "all").mkdir()
    (tmp_path / "📁").rename(tmp_path / "all" / "📁")
    command = ["finetune", str(tmp_path / "all"), "--from", "scene_ctc", "--rotate_tall", "left"]
    main([*command, "--dry_run"])
    data_options = json.loads(capsys.readouterr().out)["data"]["init_args"]
    assert data_options["train"] == [str(tmp_path / "all" / "📁")]
    assert data_options["rotate_tall"] == "left"
    main([*command, "--steps", "1", "--batch_size", "4", "--name", "one", "--log", "off"])
    assert "before" in capsys.readouterr().out


def test_a_packaged_net_and_a_configuration_are_named_by_their_folder(data, capsys):
    main(["finetune", str(data), "--from", "scene_ctc", "--dry_run"])
    config = json.loads(capsys.readouterr().out)
    assert config["init_from"] == "scene_ctc"  # wherever the package lies
    file = str(PACKAGED / "scene_ctc" / "config.yaml")
    main(["finetune", str(data), "--from", file, "--dry_run"])
    assert json.loads(capsys.readouterr().out)["init_from"] == config["init_from"]
    assert weights_file("scene_ctc") == weights_file(config["init_from"])


def test_the_learning_rate_is_that_of_the_kind_of_net(data, tmp_path, capsys):
    net = {"class_path": "dctc.models.OnnxRecognizer"}
    net["init_args"] = {"source": str(write_recognizer(tmp_path))}
    tuned = tmp_path / "tuned"
    (tuned / "checkpoints").mkdir(parents=True)
    (tuned / "config.yaml").write_text(yaml.safe_dump({"model": {"net": net}}))
    (tuned / "checkpoints" / "final.ckpt").touch()
    cases = ["scene_ctc", OWN_RATE], [str(tuned), ONNX_RATE], ["scene_ctc", 0, "--lr", "0"]
    for source, rate, *options in cases:
        main(["finetune", str(data), "--from", source, *options, "--charset", "", "--dry_run"])
        config = json.loads(capsys.readouterr().out)["model"]
        assert config["optimizer"]["init_args"]["lr"] == rate
        assert Path(config["tokenizer"]["init_args"]["charset"]).is_file()


@pytest.mark.parametrize(
    ("folder", "source", "options", "named"),
    [
        ("nowhere", "ppocr_v6_small", [], "nowhere"),
        ("mine", "nothing.onnx", [], "nothing.onnx"),
        ("mine", "scene_ctc", ["--charset", "none.txt"], "charset 'none.txt': neither one of"),
    ],
)
def test_bad_input_is_one_line(data, tmp_path, capsys, folder, source, options, named):
    with pytest.raises(SystemExit):
        main(["finetune", str(tmp_path / folder), "--from", source, "--log", "off", *options])
    error = capsys.readouterr().err
    assert named in error and "Traceback" not in error


def test_the_width_of_a_run_of_documents_is_kept(tmp_path):
    images = {"source": "sroie", "width": None}
    data = {"class_path": "dctc.data.document.DocumentDataModule", "init_args": images}
    net = {"class_path": "dctc.models.TimmRecognizer"}
    run = save_run(
        tmp_path / "run", make_module(TimmRecognizer), {"model": {"net": net}, "data": data}
    )
    begin = starting_net(str(run), [])
    assert (
        begin["data"]["init_args"]["width"] == DOCUMENTS["sroie"].width == load_model(run).image[2]
    )


def test_a_run_of_an_onnx_recogniser_takes_the_width_of_the_new_images(
    tmp_path, runs, write_lmdb, encode_image, capsys
):
    net = {
        "class_path": "dctc.models.OnnxRecognizer",
        "init_args": {"source": str(write_recognizer(tmp_path))},
    }
    config = {"model": {"net": net}, "data": {"init_args": {"width": 320, "height": 48}}}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    long = write_lmdb(tmp_path / "long", [(encode_image(0, 800, 24), b"a")])
    begin = starting_net(str(tmp_path / "run"), [str(long)])
    assert begin["data"]["init_args"]["width"] == 1600
    assert begin["model"]["net"]["init_args"]["charset_policy"] == "new"
    short = write_lmdb(tmp_path / "short", [(encode_image(0, 90, 24), b"a")] * 9)
    command = ["finetune", str(short), "--from", str(tmp_path / "tiny.onnx"), "--dry_run"]
    for val, is_wide in ((long, True), (tmp_path / "none", False)):
        main([*command, "--val", str(val)])
        width = json.loads(capsys.readouterr().out)["data"]["init_args"]["width"]
        assert (width > 1000) == is_wide and width >= 320


def test_an_exported_net_turns_tall_images_as_its_run_did(tmp_path, write_lmdb, encode_image):
    net = str(write_recognizer(tmp_path, rotate_tall="left"))
    tall = write_lmdb(tmp_path / "tall", [(encode_image(0, 24, 800), b"a")])
    images = starting_net(net, [str(tall)])["data"]["init_args"]
    assert images == {"rotate_tall": "left", "width": 1600}
    images = starting_net(str(write_recognizer(tmp_path)), [str(tall)])["data"]["init_args"]
    assert images == {"width": 320}


@pytest.mark.parametrize("count", [15, 35])
def test_a_batch_is_no_larger_than_what_is_left_to_train_on(
    tmp_path, runs, write_lmdb, encode_image, capsys, count
):
    """Each LMDB holds a tenth of its records out, rounded; labels without characters are none."""
    records = [(encode_image(i, 90, 24), b"" if i == 1 else b"ab") for i in range(count)]
    for name in "ab":
        write_lmdb(tmp_path / "mine" / name, records)
    main(["finetune", str(tmp_path / "mine"), "--from", "scene_ctc", "--steps", "1", "--dry_run"])
    chosen = json.loads(capsys.readouterr().out)["data"]["init_args"]
    data = EnglishDataModule(**{**chosen, "charset": "94"})
    data.setup("fit")
    assert len(data.train_set) >= chosen["batch_size"]
    assert read_all_labels([str(tmp_path / "mine")]).kept == len(data.train_set)


def test_a_byte_order_mark_in_a_label_is_no_character(tmp_path, write_lmdb, encode_image):
    records = [(encode_image(0, 90, 24), "a\ufeffé".encode())]
    write_lmdb(tmp_path / "mine", records)
    assert read_all_labels([str(tmp_path / "mine")]).characters == "é"


def test_a_charset_file_is_named_by_its_whole_path(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chars.txt").write_text("abc")
    main(["finetune", str(data), "--from", "scene_ctc", "--charset", "chars.txt", "--dry_run"])
    config = json.loads(capsys.readouterr().out)
    named = config["model"]["tokenizer"]["init_args"]["charset"]
    assert named == str(tmp_path / "chars.txt")
