"""The cost of large trainings is a product by hand, of times that were measured or given."""

import json

import pytest
from experiments.studies.launch import Launch
from experiments.tables.publishing import publish_benchmarks

from dctc.bench.gpu_hours import cost_table

CONFIG = """
data: {init_args: {batch_size: 100}}
trainer: {max_epochs: 3, devices: 4}
"""


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("dctc.bench.gpu_hours.PUBLISHED", tmp_path / "results")
    return tmp_path / "runs"


@pytest.fixture
def launch(tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    return Launch(tmp_path / "c.yaml", "table", "net", 1050, (0, 1))


def measure(folder, images, seconds, hardware="GPU X (x86_64)"):
    (folder / "bench").mkdir(parents=True, exist_ok=True)
    row = {"config": "c", "images": images, "seconds": seconds}
    content = {"hardware": hardware, "rows": [row]}
    (folder / "bench" / "steps.json").write_text(json.dumps(content))


def test_cost_is_steps_times_seconds_times_gpus(launch):
    table = cost_table("T", [launch], {"net": 120.0})
    # 10 whole batches an epoch; 30 x 120 s x 4 GPUs are 4 hours; two arms of two seeds
    assert table.columns == [
        *("runs of", "GPUs", "batch", "steps", "s/step", "GPU-hours each", "GPU-hours", "runs")
    ]
    assert table.rows == [["table/net", "4", "100", "30", "120", "4", "16", "4"]]
    assert table.notes[1:] == ["Given with --step_seconds: net."]


def test_measured_steps_are_estimates_that_name_their_hardware(launch, runs):
    measure(runs, images=25, seconds=240.0)
    table = cost_table("T", [launch], {})
    assert table.rows == [["table/net", "4", "100", "30", "240", "8", "32", "4"]]
    (note,) = table.notes[1:]
    assert note.startswith("Estimated from steps measured on one GPU X (x86_64):")
    given = cost_table("T", [launch], {"net": 120.0})
    assert given.rows[0][4] == "120" and "GPU X" not in " ".join(given.notes)


def test_without_a_step_time_nothing_is_estimated(launch, runs):
    table = cost_table("T", [launch], {"other": 1.0})
    assert table.rows == [["table/net", "4", "100", "30", "not measured", "-", "-", "4"]]
    assert "dctc bench --what steps" in table.notes[-1]
    measure(runs, images=50, seconds=1.0)  # of another share of the batch
    assert cost_table("T", [launch], {}).rows == table.rows


def test_where_nothing_was_measured_the_published_steps_count(launch, runs, tmp_path):
    measure(runs, images=25, seconds=240.0)
    publish_benchmarks(runs, ["steps"], tmp_path / "results")
    measure(runs, images=25, seconds=120.0, hardware="GPU Y (x86_64)")
    here = cost_table("T", [launch], {})
    assert here.rows[0][4] == "120" and "measured on one GPU Y (x86_64):" in here.notes[1]
    measure(runs, images=50, seconds=1.0)  # of another share of the batch
    published = cost_table("T", [launch], {})
    assert published.rows[0][4] == "240" and "measured on one GPU X (x86_64):" in published.notes[1]
    (runs / "bench" / "steps.json").unlink()
    assert cost_table("T", [launch], {}) == published
