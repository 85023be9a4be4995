"""A resumed run equals an uninterrupted one: the same batches, the same weights."""

import csv
import os
import signal
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from dctc.cli import main
from dctc.data.rendered import RenderedDataModule
from dctc.losses import CTCLoss
from dctc.models import TimmRecognizer
from dctc.runs.folder import (
    claim,
    final_checkpoint,
    read_checkpoint,
    remove_checkpoints,
    resume_point,
)
from dctc.text import CTCTokenizer
from dctc.training import cli
from dctc.training.callbacks import DCTCCallback
from dctc.training.checkpoints import DurableCheckpoints, RunCheckpoints, _requeue
from dctc.training.module import RecognizerModule
from dctc.training.schedule import SparingAdamW
from tiny import (
    Kill,
    TinyNet,
    config,
    final,
    make_trainer,
    of_class,
    same_weights,
    stored,
    write_config,
)

pytestmark = pytest.mark.usefixtures("runs")


def settings(checkpoints):
    """Epochs of 5 batches, checkpoints after every third, validation in the middle of epochs."""
    chosen = config("english", num_workers=2, train=["train"], val={"val": ["val"]})
    warmup = {"distill_weight": 0.1, "warmup_steps": 12}
    dctc = of_class("dctc.training.callbacks.DCTCCallback", **warmup)
    every = {"dirpath": str(checkpoints), "every_n_train_steps": 3}
    every |= {"filename": "{step}", "save_top_k": -1}
    chosen["trainer"] |= {
        "max_steps": 14,
        "val_check_interval": 4,
        "check_val_every_n_epoch": None,
        "callbacks": [dctc, of_class("pytorch_lightning.callbacks.ModelCheckpoint", **every)],
    }
    return chosen


def losses(*files):
    values = {}
    for file in files:
        with open(file, newline="") as stream:
            for row in csv.DictReader(stream):
                for name in ("train/loss", "train/distill_weight", "val/loss"):
                    if row.get(name):
                        values[name, int(row["step"])] = row[name]
    return values


def test_a_run_that_breaks_off_goes_on(tmp_path, runs, write_lmdb, encode_image):
    for name, count in (("train", 23), ("val", 5)):
        images = [(encode_image(i, 64, 8), f"w{i}".encode()) for i in range(count)]
        write_lmdb(tmp_path / "data" / name, images)
    options = write_config(tmp_path / "config.yaml", settings(tmp_path / "steps"))
    main(["fit", options, "--name=whole", "--log=off"])

    # in the second epoch, while the workers had fetched further batches
    broken = write_config(tmp_path / "broken.yaml", settings(tmp_path / "broken"))
    stop = ("--trainer.callbacks+=tiny.Fail", "--trainer.callbacks.step=8")
    with pytest.raises(RuntimeError, match="before step 8"):
        main(["fit", broken, "--name=one", "--log=off", *stop])
    assert not final(runs / "one").exists()
    last = max((tmp_path / "broken").glob("*.ckpt"))
    assert last.name == "step=6.ckpt"
    main(["fit", options, "--name=one", "--log=off", f"--ckpt_path={last}"])

    whole, one = stored(runs / "whole"), stored(runs / "one")
    assert one["global_step"] == whole["global_step"] == 14
    assert same_weights(one["state_dict"], whole["state_dict"])
    states = [run["optimizer_states"][0]["state"].values() for run in (one, whole)]
    for a, b in zip(*states, strict=True):
        assert torch.equal(a["exp_avg"], b["exp_avg"]) and torch.equal(a["step"], b["step"])
    expected = losses(runs / "whole" / "metrics.csv")
    resumed = losses(runs / "one" / "metrics.csv")
    assert {step for name, step in resumed if name == "train/loss"} == set(range(6, 14))
    assert {key: expected[key] for key in resumed} == resumed


@pytest.mark.parametrize(
    "number, step, validation, saved",
    [
        (signal.SIGTERM, 6, False, 7),  # in a step: after it
        (signal.SIGUSR1, 2, False, 3),
        (signal.SIGTERM, 8, True, 8),  # in a validation: at once, and it is repeated
        (signal.SIGTERM, 11, False, 12),  # before a validation, with which the run goes on
    ],
)
def test_a_signal_ends_a_run_that_goes_on_as_if_nothing_had_happened(
    tmp_path, runs, monkeypatch, whole, number, step, validation, saved
):
    if number == signal.SIGUSR1:  # a job of SLURM, which is requeued
        for name in ("NTASKS", "JOB_ID"):
            monkeypatch.setenv(f"SLURM_{name}", "1")
        for name in ("PROCID", "LOCALID", "NODEID"):
            monkeypatch.setenv(f"SLURM_{name}", "0")
        (tmp_path / "scontrol").write_text(f"#!/bin/sh\necho $@ > {tmp_path}/asked\n")
        (tmp_path / "scontrol").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(cli, "CHECKPOINT_EVERY", 2)
    before, train = signal.getsignal(number), ["fit", whole[0], "--name=one", "--log=off"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
        # in place of a callback of every run: a further one would be of another configuration
        patch.setattr(cli, "ReadingsTable", partial(Kill, step, number, validation))
        main(train)
    assert ended.value.code == 128 + number and signal.getsignal(number) == before
    assert (tmp_path / "asked").exists() == (number == signal.SIGUSR1)
    folder = runs / "one"
    assert not final(folder).exists()
    assert read_checkpoint(folder / "checkpoints" / "last.ckpt")["global_step"] == saved
    main(train)
    assert same_weights(stored(folder)["state_dict"], stored(whole[1])["state_dict"])
    found = losses(folder / "metrics.1.csv", folder / "metrics.csv")
    assert found == losses(whole[1] / "metrics.csv")


def test_a_kill_in_the_last_validation_does_not_lose_it(runs, monkeypatch, whole):
    monkeypatch.setattr(cli, "CHECKPOINT_EVERY", 3)
    train = ["fit", whole[0], "--name=one", "--log=off", "--trainer.max_steps=8"]
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(cli, "ReadingsTable", partial(Kill, 8, signal.SIGTERM, True))
        main(train)
    assert read_checkpoint(runs / "one" / "checkpoints" / "last.ckpt")["global_step"] == 6
    main(train)
    found = losses(runs / "one" / "metrics.csv")
    assert {step for name, step in found if name == "val/loss"} == {7}


@pytest.mark.parametrize(
    ("error", "killed"),
    [(OSError("full"), [signal.SIGKILL]), (KeyboardInterrupt(), []), (SystemExit(1), [])],
)
def test_an_error_of_the_first_process_ends_those_of_other_gpus(tmp_path, error, killed):
    sent = []
    launcher = SimpleNamespace(kill=sent.append, procs=["other"])
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=launcher))
    RunCheckpoints(tmp_path).on_exception(trainer, None, error)
    assert sent == killed and launcher.procs == ([] if killed else ["other"])


def test_a_job_that_cannot_be_requeued_is_told(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")  # as in a container without scontrol
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    _requeue()
    assert "the job is not requeued" in capsys.readouterr().out


def test_without_validation_a_signal_is_heeded(
    tmp_path, runs, monkeypatch, write_lmdb, encode_image
):
    records = [(encode_image(i, 40, 16), f"w{i}".encode()) for i in range(12)]
    write_lmdb(tmp_path / "data" / "train", records)
    chosen = config("english", train=["train"], val={})
    chosen["trainer"] |= {"max_steps": 8, "val_check_interval": 1}
    chosen["trainer"]["check_val_every_n_epoch"] = None
    option = write_config(tmp_path / "config.yaml", chosen)
    monkeypatch.setattr(cli, "CHECKPOINT_EVERY", 2)
    stop = ["step=3", f"number={int(signal.SIGTERM)}", "validation=false"]
    stop = [f"--trainer.callbacks.{one}" for one in stop]
    with pytest.raises(SystemExit):
        main(["fit", option, "--name=one", "--log=off", "--trainer.callbacks+=tiny.Kill", *stop])
    last = read_checkpoint(runs / "one" / "checkpoints" / "last.ckpt")
    assert last["global_step"] == 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Option of a configuration of 14 steps with a validation after every fourth; a run of it."""
    folder = tmp_path_factory.mktemp("whole")
    chosen = config("rendered", epoch_size=24, num_workers=0)
    chosen["trainer"] |= {"max_steps": 14, "val_check_interval": 4, "check_val_every_n_epoch": None}
    option = write_config(folder / "config.yaml", chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCTC_RUNS", str(folder))
        main(["fit", option, "--name=whole", "--log=off"])
    return option, folder / "whole"


@pytest.mark.parametrize(
    "average",
    [
        ["EMAWeightAveraging"],  # with max_epochs, as SWA demands
        ["StochasticWeightAveraging", "swa_lrs=0.01", "swa_epoch_start=1"],
    ],
)
def test_averages_of_weights_and_epochs_go_on_too(tmp_path, runs, monkeypatch, average):
    def stop(self, *_):
        assert self.trainer.global_step < 8, "killed"

    first, *arguments = average
    own = ["fit", write_config(tmp_path / "config.yaml", config(epoch_size=12)), "--log=off"]
    own += ["--trainer.max_steps=-1", "--trainer.max_epochs=4", f"--trainer.callbacks={first}"]
    own += [f"--trainer.callbacks.{argument}" for argument in arguments]
    main([*own, "--name=whole"])
    with monkeypatch.context() as patch, pytest.raises(AssertionError, match="killed"):
        patch.setattr(cli, "CHECKPOINT_EVERY", 1)
        patch.setattr(RecognizerModule, "on_train_batch_start", stop)
        main([*own, "--name=one"])
    main([*own, "--name=one"])
    assert stored(runs / "one")["global_step"] == 12
    assert same_weights(stored(runs / "one")["state_dict"], stored(runs / "whole")["state_dict"])


def test_the_key_of_a_run_is_written_once_and_what_a_kill_left_is_removed(tmp_path):
    claim(tmp_path / "one", "key")
    left = tmp_path / "one" / "checkpoints" / ".123.last.ckpt"
    left.parent.mkdir()
    left.write_bytes(b"half")
    key = tmp_path / "one" / "run_key"
    written = key.stat().st_mtime_ns, key.stat().st_ino
    claim(tmp_path / "one", "key")
    assert (key.stat().st_mtime_ns, key.stat().st_ino) == written and not left.exists()


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "hits").mkdir()
    (tmp_path / "hits" / "one.bits").touch()
    with pytest.raises(ValueError, match="hits holds files that are no run's"):
        claim(tmp_path / "hits", "key")
    assert [file.name for file in (tmp_path / "hits").iterdir()] == ["one.bits"]


def test_a_restart_removes_checkpoints_behind_a_link_too(tmp_path):
    disk = tmp_path / "disk"
    (disk / "sharded.ckpt").mkdir(parents=True)
    for name in ("last.ckpt", "final.ckpt", "sharded.ckpt/part", "notes.txt"):
        (disk / name).touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(disk)
    remove_checkpoints(tmp_path / "run")
    assert [file.name for file in disk.iterdir()] == ["notes.txt"]
    remove_checkpoints(tmp_path / "other")


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path, capsys):
    folder = tmp_path / "checkpoints"
    last, previous, done = (folder / f"{name}.ckpt" for name in ("last", "previous", "final"))
    assert resume_point(tmp_path) is final_checkpoint(tmp_path) is None
    for step in range(3):
        for file in (last, done):
            DurableCheckpoints().save_checkpoint({"state_dict": {}, "step": step}, file)
    assert sorted(folder.iterdir()) == [done, last, previous]
    assert (resume_point(tmp_path), final_checkpoint(tmp_path)) == (last, done)
    assert read_checkpoint(previous)["step"] == 1
    content = last.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    for damaged in (b"", content[:middle], flipped, None):
        for file in (last, done):
            file.unlink()
            if damaged is not None:
                file.write_bytes(damaged)
        capsys.readouterr()
        assert (resume_point(tmp_path), final_checkpoint(tmp_path)) == (previous, None)
        said = capsys.readouterr().out.splitlines()
        state = "missing" if damaged is None else "cut off or damaged"
        assert said[0] == f"{last}: {state}; the run goes on from previous.ckpt"
        assert len(said) == (1 if damaged is None else 2)
    previous.write_bytes(b"")
    assert resume_point(tmp_path) is None
    assert "damaged; the run goes on from the start" in capsys.readouterr().out


def fit(folder, net, steps=10, resume=None, save=False, seed=0):
    """Train on epochs of 4 steps with a validation after every second; return the weights."""
    torch.manual_seed(seed)
    module = RecognizerModule(
        net(), CTCLoss(), CTCTokenizer("36"), lambda named: SparingAdamW(named, lr=0.01)
    )
    data = RenderedDataModule(
        batch_size=4, epoch_size=16, val_size=4, width=64, max_length=4, num_workers=0, seed=1
    )
    callbacks = [DCTCCallback(warmup_steps=20)]
    if save:
        every = {"every_n_train_steps": 1, "save_top_k": -1, "filename": "{step}"}
        callbacks.append(ModelCheckpoint(folder, **every))
    trainer = make_trainer(
        folder,
        max_steps=steps,
        val_check_interval=2,
        callbacks=callbacks,
        enable_checkpointing=save,
        gradient_clip_val=5.0,
    )
    trainer.fit(module, datamodule=data, ckpt_path=resume, weights_only=True)
    return {name: value.clone() for name, value in module.state_dict().items()}


def test_it_can_go_on_from_every_step(tmp_path):
    """Also from the last step of an epoch, and from one that a validation follows."""

    def net():
        return TimmRecognizer(37)  # with batch statistics

    whole = fit(tmp_path, net, save=True)
    wrong = [
        step
        for step in (4, 5, 6)
        if not same_weights(whole, fit(tmp_path, net, resume=tmp_path / f"step={step}.ckpt"))
    ]
    assert not wrong


def test_dropout_goes_on_too(tmp_path):
    drawn = []

    class Watched(nn.Dropout):
        def forward(self, features):
            if self.training:
                drawn.append(super().forward(torch.ones(20)))
            return super().forward(features)

    def net():
        made = TinyNet(37, height=32)
        made.dropout = Watched(0.5)
        return made

    whole = fit(tmp_path, net, save=True)
    masks = drawn.copy()
    assert len({tuple(mask.tolist()) for mask in masks}) == 10  # each step has its own
    drawn.clear()
    assert same_weights(whole, fit(tmp_path, net, resume=tmp_path / "step=6.ckpt"))
    assert torch.equal(torch.stack(drawn), torch.stack(masks[6:]))
    drawn.clear()
    fit(tmp_path, net, seed=1)
    assert not torch.equal(torch.stack(drawn), torch.stack(masks))
