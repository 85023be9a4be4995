"""``dctc export`` from a run's folder to a file that can be decoded without dctc."""

import json
from pathlib import Path

import onnx
import pytest
import torch

from dctc.cli import main
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.models import TimmRecognizer
from dctc.reading.export_run import metadata
from dctc.runs.folder import PACKAGED
from dctc.runs.net import load_net
from dctc.training.module import RecognizerModule
from tiny import final, make_module, save_run

ROOT = Path(__file__).parents[2]
NET = {"class_path": "dctc.models.TimmRecognizer"}


@pytest.fixture
def run(tmp_path):
    """A run's folder as training leaves it."""
    data = {"class_path": "x.Never", "init_args": {"width": 64}}
    settings = {"model": {"net": NET, "protocol": "english36"}, "data": data}
    return save_run(tmp_path / "run", make_module(TimmRecognizer), settings)


def test_a_run_as_onnx(run, capsys):
    main(["export", str(run), "--to", "onnx"])
    said = capsys.readouterr().out
    assert f"{run / 'net.onnx'}: written\ndynamic: batch, width\nchecked: logits within" in said
    found = {e.key: e.value for e in onnx.load(run / "net.onnx").metadata_props}
    assert found["charset"] == "0123456789abcdefghijklmnopqrstuvwxyz"
    expected = {"blank": "0", "protocol": "english36", "frame_stride": "4", "height": "32"}
    expected |= {"channel_order": "RGB", "filter": "BICUBIC", "keep_ratio": "false"}
    assert found.items() >= {**expected, "input_range": "[-1, 1]", "frames": "16"}.items()
    assert json.loads(found["valid_frames"])[:5] == [1, 1, 1, 1, 2] and "mean" in found["fill"]


def test_configuration_and_checkpoint_as_pt2(run, tmp_path, capsys):
    options = [str(run / "config.yaml"), "--ckpt_path", str(final(run))]
    main(["export", *options, "--to", "pt2", "--out", str(tmp_path / "a.pt2")])
    assert "a.pt2: written" in capsys.readouterr().out
    torch.export.load(tmp_path / "a.pt2")


def test_a_packaged_net_goes_into_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["export", "scene_ctc", "--to", "weights"])
    assert (tmp_path / "weights" / "config.yaml").is_file()
    assert not (PACKAGED / "scene_ctc" / "weights").exists()


def test_weights_go_into_no_folder_that_holds_something_else(run, tmp_path, refused):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    error = refused("export", run, "--to", "weights", "--out", tmp_path / "mine")
    assert "holds notes.txt; name a new folder" in error
    assert (tmp_path / "mine" / "README.md").read_text() == "mine"


def test_a_net_that_reads_by_attention_is_refused(tmp_path, refused):
    config = ROOT / "experiments/configs/model/attention_small_resnet.yaml"
    loaded = load_net(config)
    module = RecognizerModule(loaded.net, CharacterCrossEntropy(), loaded.tokenizer)
    run = save_run(tmp_path / "run", module, {})
    options = [str(config), "--ckpt_path", str(final(run))]
    error = refused("export", *options, "--to", "onnx")
    assert "AttentionRecognizer is no CTC recogniser" in error


def test_a_rectified_net_has_frames_of_the_whole_width():
    loaded = load_net(ROOT / "experiments/configs/paper/english_svtr_tiny_dctc.yaml")
    net = loaded.net
    assert net.frames(512) == net.frames(256)  # of the rectified image
    width = loaded.image[2]
    assert metadata(loaded)["frame_stride"] == f"{width / net.frames(width):g}"
