"""``dctc bench --what steps`` at its smallest, and the copies that it times."""

import inspect
import json
from pathlib import Path
from pydoc import locate

import pytest
import torch
import yaml

from dctc.bench import SCALES as KNOWN
from dctc.bench.steps import CONFIGS, FILE, SCALES, TINY, TRIAL_FILE, bench_steps
from dctc.bench.steps import _contexts as contexts
from dctc.bench.steps import _with_alphabet as with_alphabet
from dctc.cli import main
from dctc.text import Charset
from dctc.training.nets import WIDTH

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(ROOT)
    return tmp_path / "runs"


@pytest.mark.slow
def test_a_trial_is_a_table_and_json_and_no_measurement(runs, capsys):
    main(["bench", "--what", "steps", "--scale", "tiny"])
    printed = capsys.readouterr().out
    found = json.loads((runs / TRIAL_FILE).read_text())
    (row,) = found["rows"]
    assert found["hardware"] and row["config"] == TINY
    assert (row["images"], row["image"], row["precision"]) == (2, [3, 64, 256], "bf16-mixed")
    assert f"{row['seconds']:.3f}" in printed and "nothing is estimated from it" in printed
    assert not (runs / FILE).exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_nothing_is_measured(runs):
    with pytest.raises(ValueError, match="there is no GPU to measure them on"):
        bench_steps("small")


def test_configurations_are_needed(tmp_path):
    with pytest.raises(FileNotFoundError, match="run from the repository's root"):
        bench_steps("tiny", tmp_path)


def test_every_configuration_can_be_timed_without_its_data(tmp_path):
    assert set(SCALES) <= set(KNOWN)
    files = sorted((ROOT / CONFIGS).glob("*.yaml"))
    assert TINY in [file.stem for file in files]
    for file in files:
        settings = yaml.safe_load(file.read_text())
        trainer = settings["trainer"]
        assert str(trainer.get("precision", "32-true")) in contexts(torch.device("cpu"))
        data = settings["data"]["init_args"]
        module = locate(settings["data"]["class_path"])
        default = inspect.signature(module).parameters["width"].default
        assert data.get("width", WIDTH) == data.get("width", default)  # what load_net takes is so
        batch, devices = data["batch_size"], trainer.get("devices", 1)
        assert batch % devices == 0
        charset = settings["model"]["tokenizer"]["init_args"]["charset"]
        copy = yaml.safe_load(with_alphabet(settings, tmp_path).read_text())
        used = copy["model"]["tokenizer"]["init_args"].pop("charset")
        assert len(Charset.load(used)) == (36 if charset == "36" else 7934)
        original = yaml.safe_load(file.read_text())
        del original["model"]["tokenizer"]["init_args"]["charset"]
        assert copy == original
