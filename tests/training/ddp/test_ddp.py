"""Two processes on CPUs give what one process gives: the same counts, the same gradient."""

import csv

import pytest
import torch

from dctc.cli import main
from dctc.results.predictions import read_readings
from dctc.results.registry import Registry
from places import runs_in
from tiny import config, final, of_class, run_python, stored, write_config

pytestmark = pytest.mark.filterwarnings("ignore:CUTE80/")  # records that cannot be decoded

INFEASIBLE = "a" * 9  # needs 17 frames of 16


def values(file, name):
    with open(file, newline="") as stream:
        return [(row["step"], float(row[name])) for row in csv.DictReader(stream) if row[name]]


def from_end(run):
    return f"--ckpt_path={final(run)}"


@pytest.fixture(scope="module")
def module_runs(tmp_path_factory):
    """The folder of runs of all tests here."""
    folder = tmp_path_factory.mktemp("ddp")
    with runs_in(folder):
        yield folder / "runs"


@pytest.fixture(scope="module")
def gradient(module_runs, write_lmdb, encode_image):
    """Option of a configuration of one step of plain gradient descent on 8 words."""
    labels = ["ab", INFEASIBLE, "c", "dd", INFEASIBLE, "efg", "h", INFEASIBLE]
    records = [(encode_image(i, 64, 8), label.encode()) for i, label in enumerate(labels)]
    write_lmdb(module_runs.parent / "data" / "eight", records)
    settings = config("english", train=["eight"], val={"val": ["eight"]}, batch_size=8)
    settings["model"]["optimizer"] = of_class("torch.optim.SGD", lr=1.0)
    constant = of_class("dctc.training.schedule.WarmupCosine", warmup=0.0, final=1.0)
    settings["model"]["schedule"] = constant
    callback = {"class_path": "dctc.training.callbacks.DCTCCallback"}
    settings["trainer"] |= {"max_steps": 1, "callbacks": [callback]}
    return write_config(module_runs.parent / "gradient.yaml", settings)


@pytest.fixture(scope="module")
def uneven(module_runs):
    """Option of a configuration with 23 batches of validation on one process, 22 on the other."""
    settings = config(val_size=45, eval_batch_size=2, epoch_size=8)
    settings["model"]["net"] = {"class_path": "dctc.models.TimmRecognizer"}  # has buffers
    return write_config(module_runs.parent / "uneven.yaml", settings)


@pytest.fixture(scope="module")
def pixels(module_runs, write_pixels):
    return write_pixels(module_runs.parent)


@pytest.fixture(scope="module")
def two(module_runs, gradient, uneven, pixels):
    """The folder of runs, after all that two processes do: one program, started by Lightning."""
    main(["fit", pixels, "--name=one", "--log=off"])
    commands = [
        ["fit", gradient, "--name=gradient"],
        ["fit", uneven, "--name=uneven"],
        ["test", pixels, "--name=two", from_end(module_runs / "one")],
    ]
    options = ["--trainer.strategy=ddp", "--trainer.devices=2"]
    program = module_runs.parent / "program.py"
    program.write_text(
        f"import os, pathlib\n"
        f"from dctc.cli import main\n"
        f"from dctc.studies.runner import execute\n"
        f"from dctc.studies.study import Run\n"
        f"for command in {commands!r}:\n"
        f"    main([*command, *{options!r}, '--log=off'])\n"
        f"two = {{'trainer.strategy': 'ddp', 'trainer.devices': 2}}\n"
        f"run = Run('study/one', 'study/one', 0, ({pixels.removeprefix('--config=')!r},), two)\n"
        f"finished = execute(run, 'off')\n"
        f"file = {str(program.parent)!r} + '/rank' + os.environ.get('LOCAL_RANK', '0')\n"
        f"pathlib.Path(file).write_text(str(finished.records['CUTE80'].n))\n"
    )
    done = run_python(str(program))
    assert done.returncode == 0, done.stderr
    assert "sync_dist" not in done.stderr  # Lightning's advice on what is summed already
    return module_runs


def test_every_sample_is_tested_once(two, pixels):
    main(["test", pixels, "--name=one", "--log=off", from_end(two / "one")])
    other, _, mine = Registry(two).records()  # one record each: rank 0 alone writes
    assert (mine.n, mine.correct, mine.drops) == (43, 28, {"image cannot be read": 2})
    assert other.run.startswith(f"{mine.run}+")  # another run's weights
    for name in ("n", "correct", "edits", "characters", "drops", "hits"):
        assert getattr(other, name) == getattr(mine, name), name
    assert other.similarity == pytest.approx(mine.similarity, rel=1e-9)
    files = [next((two / name).glob("readings*/CUTE80.tsv")) for name in ("one", "two")]
    readings = [read_readings(file) for file in files]
    assert [o[:3] for o in readings[0]] == [o[:3] for o in readings[1]]
    for name in ("test/accuracy", "test/ned", "test/CUTE80/cer"):
        first, second = (values(two / run / "test" / "metrics.csv", name) for run in ("one", "two"))
        assert second[0][1] == pytest.approx(first[0][1], rel=1e-6)


def test_the_gradient_is_that_of_one_process(two, gradient):
    for name, rate in (("alone", 1), ("before", 0)):
        rate = f"--model.optimizer.init_args.lr={rate}"
        with pytest.warns(UserWarning, match="3 of 8 labels need more frames"):
            main(["fit", gradient, f"--name={name}", "--log=off", rate])
    before, alone, found = (
        stored(two / name)["state_dict"] for name in ("before", "alone", "gradient")
    )
    assert (before["net.head.weight"] - alone["net.head.weight"]).abs().max() > 0.01
    torch.testing.assert_close(found, alone, atol=1e-6, rtol=0)
    metrics = [two / name / "metrics.csv" for name in ("alone", "gradient")]
    for name in ("train/infeasible", "val/loss", "val/accuracy"):
        ((_, first),), ((_, second),) = (values(file, name) for file in metrics)
        assert second == pytest.approx(first, rel=1e-5), name
    assert values(metrics[1], "train/infeasible") == [("0", 3.0)]
    assert len(values(metrics[1], "train/loss")) == 1  # rank 0 alone writes


def test_batch_statistics_and_validation_shares_of_unequal_length(two, uneven):
    main(["validate", uneven, "--name=validated", "--log=off", from_end(two / "uneven")])
    for name in ("val/loss", "val/accuracy", "val/cer", "val/ned"):
        ((step, value),) = values(two / "uneven" / "metrics.csv", name)
        ((_, expected),) = values(two / "validated" / "validate" / "metrics.csv", name)
        assert step == "1" and value == pytest.approx(expected, rel=1e-5), name


def test_each_process_of_a_study_s_run_has_its_records(two):
    assert [(two.parent / f"rank{rank}").read_text() for rank in (0, 1)] == ["43", "43"]
