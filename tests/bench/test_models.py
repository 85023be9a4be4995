"""``dctc bench --what models`` and ``dctc describe``."""

import json
import shutil
from pathlib import Path

import pytest

from dctc.bench.models import models_table
from dctc.cli import main

MODEL_CONFIGS = Path(__file__).parents[2] / "experiments/configs/model"
MODEL = str(MODEL_CONFIGS / "small_resnet.yaml")
OPTIONS = ["--batch_size", "1", "--threads", "1"]


@pytest.fixture
def quick(runs, monkeypatch):
    monkeypatch.setattr("dctc.bench.describe.REPEATS", 1)


def test_models_are_a_table_and_json(bench, quick, tmp_path):
    for name in ("small_resnet", "attention_small_resnet"):
        shutil.copy(MODEL_CONFIGS / f"{name}.yaml", tmp_path)
    printed, written = bench("models", "--configs", str(tmp_path))
    assert "without CTC, so left out: attention_small_resnet" in printed
    (row,) = written["rows"]
    assert row["model"] == "small_resnet"
    assert row["parameters"] == {"CTC": 630_741, "DCTC": 630_741}
    inference, train = row["inference_s"], row["train_s"]
    variants = {"CTC", "DCTC", "contiguous", "channels-last", "bfloat16"}
    assert set(inference) == set(train) == variants
    (cells,) = models_table(written).rows
    assert cells[:4] == ["small_resnet", "0.63", "0.09", "32"]
    assert cells[5:] == [
        f"{inference['DCTC'] / inference['CTC']:.2f}",
        f"{train['DCTC'] / train['CTC']:.2f}",
        f"{inference['channels-last'] / inference['contiguous']:.2f}",
        f"{inference['bfloat16'] / inference['CTC']:.2f}",
    ]


def test_a_folder_without_models_is_named(runs, tmp_path, refused):
    error = refused("bench", "--what", "models", "--configs", tmp_path)
    assert "no YAML files in it" in error


def test_a_net_described_as_json(quick, capsys):
    main(["describe", MODEL, *OPTIONS, "--width", "64", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["model"], found["image"]) == (MODEL, [3, 32, 64])
    assert (found["parameters"], found["frames"], found["features"]) == (630_741, 16, 128)
    assert {"versions", "hardware", "commit"} <= set(found)


def test_the_folder_of_a_run_as_a_table(quick, tmp_path, capsys):
    (tmp_path / "my_run").mkdir()
    config = tmp_path / "my_run" / "config.yaml"
    config.write_text(open(MODEL).read() + "data:\n  init_args: {height: 32, width: 96}\n")
    main(["describe", str(config.parent), *OPTIONS])
    printed = capsys.readouterr().out
    assert printed.startswith("my_run") and "multiply-add is 2" in printed
    cells = dict(line.rsplit(" ", 1) for line in printed.splitlines()[3:13])
    cells = {name.strip(): value for name, value in cells.items()}
    assert cells["parameters"] == "630,741" and cells["frames t"] == "24"
    assert max(map(len, printed.splitlines())) <= 80
