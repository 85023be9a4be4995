"""Two processes on CPUs give what one process gives: the same counts, the same gradient."""

import csv
import subprocess
from pathlib import Path

import pytest
import torch
import yaml

from dctc.cli import main
from dctc.results.registry import Registry
from dctc.training.results_writer import read_readings
from tiny import config, encode_text, run_python, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("runs"),
    pytest.mark.filterwarnings("ignore:LightningCLI's args parameter"),
]


TWO = ("--trainer.strategy=ddp", "--trainer.devices=2", "--log=off")
MODELS = Path(__file__).parents[2] / "experiments/configs/model"
INFEASIBLE = "a" * 9  # needs 17 frames of 16


def two_processes(command, *options) -> subprocess.CompletedProcess:
    done = run_python("-m", "dctc.cli", command, *options, *TWO, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def rows(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def values(file, name):
    return [(row["step"], float(row[name])) for row in rows(file) if row[name]]


@pytest.fixture
def pixels(tmp_path, write_lmdb):
    """45 test samples for PixelNet: every third is read wrong; two cannot be decoded."""
    words = [("cat", "cat"), ("dog", "dig"), ("four", "four")] * 15
    records = [(encode_text(read), label.encode()) for label, read in words]
    write_lmdb(tmp_path / "data" / "train", records[:16])
    records[10] = records[30] = (b"broken", b"broken")
    write_lmdb(tmp_path / "data" / "CUTE80", records)
    folders = {"train": ["train"], "val": {"val": ["train"]}}
    settings = config("english", eval_batch_size=4, **folders)
    settings["model"]["net"] = {"class_path": "tiny.PixelNet"}
    settings["model"]["optimizer"]["init_args"]["lr"] = 0.0
    return write_config(tmp_path / "pixels.yaml", settings)


def test_every_sample_is_tested_and_predicted_once(pixels, runs):
    with pytest.warns(UserWarning, match="CUTE80/11"):
        main(["fit", pixels, "--name=one", "--log=off"])
        checkpoint = f"--ckpt_path={runs / 'one' / 'checkpoints' / 'final.ckpt'}"
        main(["test", pixels, "--name=one", "--log=off", checkpoint])
    two_processes("test", pixels, "--name=two", checkpoint)
    one, two = Registry(runs).records()  # one record each: rank 0 alone writes
    assert (one.n, one.correct) == (43, 29)  # 30 are read right, one of them broken
    assert one.drops == {"image cannot be read": 2}
    assert two.run.startswith(f"{one.run}+")  # another run's weights
    for name in ("n", "correct", "edits", "characters", "drops", "hits"):
        assert getattr(two, name) == getattr(one, name), name
    assert two.similarity == pytest.approx(one.similarity, rel=1e-9)
    files = [next((runs / name).glob("readings*/CUTE80.tsv")) for name in ("one", "two")]
    readings = [read_readings(file) for file in files]
    assert [o[:3] for o in readings[0]] == [o[:3] for o in readings[1]]
    metrics = [runs / name / "test" / "metrics.csv" for name in ("one", "two")]
    for name in ("test/accuracy", "test/ned", "test/CUTE80/cer"):
        (_, first), (_, second) = values(metrics[0], name) + values(metrics[1], name)
        assert second == pytest.approx(first, rel=1e-6)

    two_processes("predict", pixels, "--name=two", checkpoint)
    files = sorted((runs / "two").glob("predictions.tsv*"))
    assert [file.name for file in files] == ["predictions.tsv.0", "predictions.tsv.1"]
    predicted = []
    for file in files:
        with open(file, newline="") as stream:
            predicted += [row["key"] for row in csv.DictReader(stream, delimiter="\t")]
    assert sorted(predicted) == sorted(f"CUTE80/{i}" for i in range(1, 46))


def test_the_gradient_is_that_of_one_process(tmp_path, runs, write_lmdb, encode_image):
    labels = ["ab", INFEASIBLE, "c", "dd", INFEASIBLE, "efg", "h", INFEASIBLE]
    records = [(encode_image(i, 64, 8), label.encode()) for i, label in enumerate(labels)]
    write_lmdb(tmp_path / "data" / "train", records)
    settings = config("english", train=["train"], val={"val": ["train"]}, batch_size=8)
    settings["model"]["optimizer"] = {"class_path": "torch.optim.SGD", "init_args": {"lr": 1.0}}
    settings["model"]["schedule"] = {  # the rate stays what it is
        "class_path": "dctc.training.schedule.WarmupCosine",
        "init_args": {"warmup": 0.0, "final": 1.0},
    }
    settings["trainer"] |= {
        "max_steps": 1,
        "callbacks": [{"class_path": "dctc.training.callbacks.DCTCCallback"}],
    }
    options = write_config(tmp_path / "gradient.yaml", settings)
    with pytest.warns(UserWarning, match="3 of 8 labels need more frames"):
        main(["fit", options, "--name=one", "--log=off"])
    two_processes("fit", options, "--name=two")
    one, two = (
        torch.load(runs / name / "checkpoints" / "final.ckpt", weights_only=True)["state_dict"]
        for name in ("one", "two")
    )
    with pytest.warns(UserWarning, match="3 of 8"):
        main(["fit", options, "--name=before", "--log=off", "--model.optimizer.init_args.lr=0"])
    before = torch.load(runs / "before" / "checkpoints" / "final.ckpt", weights_only=True)
    moved = before["state_dict"]["net.head.weight"] - one["net.head.weight"]
    assert moved.abs().max() > 0.01
    for name in one:
        assert torch.allclose(one[name], two[name], atol=1e-6, rtol=0), name
    metrics = [runs / name / "metrics.csv" for name in ("one", "two")]
    for name in ("train/infeasible", "val/loss", "val/accuracy"):
        ((_, first),), ((_, second),) = (values(file, name) for file in metrics)
        assert second == pytest.approx(first, rel=1e-5), name
    assert values(metrics[1], "train/infeasible") == [("0", 3.0)]
    assert len(values(metrics[1], "train/loss")) == 1  # rank 0 alone writes


def test_batch_statistics_and_validation_shares_of_unequal_length(tmp_path, runs):
    """23 batches of validation on one process and 22 on the other, with a net that has buffers."""
    settings = config(val_size=45, eval_batch_size=2, epoch_size=8)
    settings["model"]["net"] = {"class_path": "dctc.models.TimmRecognizer"}
    options = write_config(tmp_path / "uneven.yaml", settings)
    two_processes("fit", options, "--name=two")
    checkpoint = runs / "two" / "checkpoints" / "final.ckpt"
    main(["validate", options, "--name=one", "--log=off", f"--ckpt_path={checkpoint}"])
    for name in ("val/loss", "val/accuracy", "val/cer", "val/ned"):
        ((step, value),) = values(runs / "two" / "metrics.csv", name)
        ((_, expected),) = values(runs / "one" / "validate" / "metrics.csv", name)
        assert step == "1" and value == pytest.approx(expected, rel=1e-5), name


@pytest.mark.parametrize("name", ["crnn", "svtr_tiny"])
def test_nets_of_the_paper_step_without_looking_for_unused_parameters(tmp_path, runs, name):
    """A parameter without a gradient ends the second step."""
    settings = config(epoch_size=8, val_size=2)
    fragment = yaml.safe_load((MODELS / f"{name}.yaml").read_text())
    settings["model"]["net"] = fragment["model"]["net"]
    options = write_config(tmp_path / "paper.yaml", settings)
    two_processes("fit", options, "--name=two")
    stored = torch.load(runs / "two" / "checkpoints" / "final.ckpt", weights_only=True)
    assert stored["global_step"] == 2
    assert all(value.isfinite().all() for value in stored["state_dict"].values())
    assert len(values(runs / "two" / "metrics.csv", "train/loss")) == 2


def test_an_experiment_runs_on_two_processes(pixels, runs):
    options = ("--trainer.strategy=ddp", "--trainer.devices=2")
    counted = runs.parent / "counted"
    counted.mkdir()
    program = f"""
import os, pathlib
from dctc.studies.runner import Run, execute

if __name__ == "__main__":
    finished = execute(Run("exp/one", {(pixels, *options)!r}), "off")
    file = pathlib.Path({str(counted)!r}, os.environ.get("LOCAL_RANK", "0"))
    file.write_text(str(finished.records["CUTE80"].n))
"""
    script = runs.parent / "experiment.py"
    script.write_text(program)
    done = run_python(str(script), timeout=240)
    assert done.returncode == 0, done.stderr
    assert {file.name: file.read_text() for file in counted.iterdir()} == {"0": "43", "1": "43"}
    assert "sync_dist" not in done.stderr  # Lightning's advice on what is summed already
    assert len(list(Registry(runs).records())) == 1
