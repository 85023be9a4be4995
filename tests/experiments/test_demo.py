"""The demo at its smallest scale, twice: it trains, and then knows that it has."""

import json

import pytest
from PIL import Image

from tiny import run_python

pytestmark = pytest.mark.slow

ARMS = ("ctc", "dctc")


def test_the_demo_leaves_table_curves_and_readings(tmp_path):
    root, runs = tmp_path / "data", tmp_path / "runs"
    environment = {
        "DCTC_DATA": str(root),
        "DCTC_RUNS": str(runs),
        "WANDB_DATA_DIR": str(tmp_path / "wandb"),
        "WANDB_CACHE_DIR": str(tmp_path / "wandb"),
        "COLUMNS": "120",
    }
    out = runs / "demo-tiny"

    def demo():
        done = run_python("-m", "experiments.demo", "--scale", "tiny", **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = demo()
    assert f"No real benchmark found below {root}" in first.replace("\n", " ")
    records = [json.loads(line) for line in (runs / "results.jsonl").read_text().splitlines()]
    assert [(record["arm"], record["set"], record["n"]) for record in records] == [
        (arm, "rendered", 4) for arm in ARMS
    ]
    assert all(record["about"]["steps"] == 1 for record in records)

    table = (out / "table.md").read_text()
    (row,) = [line for line in table.splitlines() if line.startswith("| rendered")]
    for record in records:
        assert f"{100 * record['correct'] / 4:.2f}" in row
    for file in ("curves.png", "readings.png"):
        with Image.open(out / file) as image:
            image.load()
            assert min(image.size) > 100
            assert len(image.convert("L").getcolors(256) or range(257)) > 10  # not an empty sheet
        assert f"written to {out / file}" in first.replace("\n", "")

    def left(pattern):
        return {path: path.stat().st_mtime_ns for path in out.glob(pattern)}

    watched = (
        "*/checkpoints/*.ckpt",
        "*/readings/*.tsv",
        "*/metrics*.csv",
        "*/wandb/offline-run-*",
    )
    before = [left(pattern) for pattern in watched]
    assert [len(found) for found in before] == [2, 2, 2, 2]
    (out / "table.md").unlink()
    root.mkdir()  # there, and still without data
    again = demo()
    after = [left(pattern) for pattern in watched]
    assert [list(found.values()) for found in after] == [list(found.values()) for found in before]
    assert (runs / "results.jsonl").read_text().count("\n") == 2
    assert (out / "table.md").read_text() == table
    result = first[first.index("Result") :]
    assert "rendered" in result and again.endswith(result)


def test_the_arms_differ_in_the_weight_of_distillation_only(tmp_path):
    program = """
import sys
sys.path.insert(0, "experiments")
import demo
from dctc.training.cli import RecognizerCLI
import json
print(json.dumps([
    RecognizerCLI(["--log=off", *demo.plan(arm, scale, False).options], run=False).resolved
    for scale in ("tiny", "smoke") for arm in demo.ARMS
]))
"""
    done = run_python("-W", "ignore", "-c", program, DCTC_RUNS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    tiny_ctc, tiny_dctc, ctc, dctc = json.loads(done.stdout.splitlines()[-1])
    for one, other in ((tiny_ctc, tiny_dctc), (ctc, dctc)):
        weights = [
            arm["trainer"]["callbacks"][0]["init_args"].pop("distill_weight")
            for arm in (one, other)
        ]
        assert weights[0] == 0.0 < weights[1]
        assert one == other
