import json

import pytest

from dctc.bench.loss import bench_loss
from dctc.bench.models import bench_models
from dctc.bench.published import benchmark_tables


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    return tmp_path


def test_what_was_not_measured_has_no_table(results):
    assert benchmark_tables(results) == {}


def test_the_losses_are_ratios_to_the_peer(results):
    bench_loss("tiny", [1])
    file = results / "bench" / "loss.json"
    measured = json.loads(file.read_text())
    (row,) = measured["rows"]
    row["median_s"] = {"torch CTC": 2.0, "CTC": 1.0, "DCTC": 3.0, "two-pass": 5.0}
    row["peak_bytes"] = {"torch CTC": 100, "CTC": 1, "DCTC": 25, "two-pass": 1}
    file.write_text(json.dumps(measured))
    table = benchmark_tables(results)["bench/loss"]
    assert table.rows == [["37", "16 x 4", "1", "0.50", "1.50", "2.50", "0.25"]]
    assert measured["hardware"] in table.notes[0]
    measured["hardware"] = "NVIDIA X (x86_64)"  # which has no threads
    (results / "bench" / "loss-gpu.json").write_text(json.dumps(measured))
    table = benchmark_tables(results)["bench/loss-gpu"]
    assert table.rows == [["37", "16 x 4", "0.50", "1.50", "2.50", "0.25"]]
    assert len(table.columns) == 6


def test_the_models_are_those_that_were_measured(results):
    bench_models("tiny", 1)
    measured = json.loads((results / "bench" / "models.json").read_text())
    (row,) = benchmark_tables(results)["bench/models"].rows
    seconds = measured["rows"][0]["inference_s"]
    assert row[:4] == ["small_resnet", "0.63", "0.09", "32"]
    assert row[5] == f"{seconds['DCTC'] / seconds['CTC']:.2f}"
    assert row[8] == f"{seconds['bfloat16'] / seconds['CTC']:.2f}"
