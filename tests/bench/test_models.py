"""``dctc bench --what models`` and ``--what predict`` at their smallest."""

import json

import pytest
import torch

from dctc.bench.measure import interleaved
from dctc.bench.models import SCALES as MODEL_SCALES
from dctc.bench.models import bench_models
from dctc.bench.predict import SCALES as PREDICT_SCALES
from dctc.cli import main

CPU = torch.device("cpu")


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs; torch's threads are put back afterwards."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "80")
    threads = torch.get_num_threads()
    yield tmp_path / "runs"
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_models_are_a_table_and_json(runs, capsys):
    main(["bench", "--what", "models", "--scale", "tiny", "--threads", "1"])
    file = runs / "bench" / "models.json"
    printed = capsys.readouterr().out
    assert str(file) in printed.replace("\n", "")
    assert max(len(line) for line in printed.splitlines() if str(file) not in line) <= 80
    (row,) = json.loads(file.read_text())["rows"]
    assert row["model"] == "small_resnet"
    assert row["parameters"] == {"CTC": 630_741, "DCTC": 630_741}
    variants = {"CTC", "DCTC", "contiguous", "channels-last", "bfloat16"}
    assert set(row["inference_s"]) == set(row["train_s"]) == variants
    inference, training = (
        line.split() for line in printed.splitlines() if line.startswith("small_resnet")
    )
    for cells, seconds in ((inference, row["inference_s"]), (training, row["train_s"])):
        assert cells[-3] == f"{seconds['DCTC'] / seconds['CTC']:.2f}"
        assert cells[-2] == f"{seconds['channels-last'] / seconds['contiguous']:.2f}"
        assert cells[-1] == f"{seconds['bfloat16'] / seconds['CTC']:.2f}"


def test_models_need_fragments(tmp_path):
    with pytest.raises(FileNotFoundError, match="run from the repository's root"):
        bench_models("smoke", 1, tmp_path)


@pytest.mark.slow
def test_predict_is_a_table_and_json(runs, capsys):
    main(["bench", "--what", "predict", "--scale", "tiny", "--threads", "1"])
    found = json.loads((runs / "bench" / "predict.json").read_text())
    (turn,) = found["turns"]
    assert turn["share"] == found["share"] == pytest.approx(turn["predict"] / turn["network"])
    assert f"{found['share']:.3f}" in capsys.readouterr().out


def test_every_scale_is_known():
    from dctc.bench import SCALES

    assert {*MODEL_SCALES, *PREDICT_SCALES} <= set(SCALES)


def test_turns_go_forth_and_back():
    order = []
    interleaved({name: lambda name=name: order.append(name) for name in "abc"}, 2, CPU)
    assert "".join(order) == "abc" + "cba" + "abc"


def test_no_turn_begins_after_the_limit_but_one_is_taken():
    order = []
    seconds = interleaved({"a": lambda: order.append("a")}, 50, CPU, limit_s=0.0)
    assert len(order) == 2 and seconds["a"] >= 0
