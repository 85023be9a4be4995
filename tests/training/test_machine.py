"""Threads, device, and the end of the process group."""

import os
from types import SimpleNamespace

import pytest
import torch
from pytorch_lightning.accelerators import MPSAccelerator

from dctc.data.rendered import RenderedDataModule
from dctc.training import cli
from dctc.training.machine import (
    compute_in_float32,
    end_process_group,
    keep_freed_memory,
    needs_cpu,
    on_rank_zero,
    share_cores,
)


def test_float32_is_not_rounded(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    compute_in_float32()
    assert not torch.backends.cudnn.allow_tf32


def test_cores_are_shared_out_where_the_net_runs_on_the_cpu(monkeypatch):
    chosen = []
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    share_cores(1, "auto")
    assert chosen == []
    share_cores(1, "cpu")
    share_cores(8, "cpu")
    assert chosen == [3, 2]


def test_glibc_keeps_freed_memory_unless_its_variables_say_otherwise(monkeypatch):
    asked = []
    libc = SimpleNamespace(mallopt=lambda option, value: asked.append((option, value)))
    monkeypatch.setattr("dctc.training.machine.ctypes.CDLL", lambda _: libc)
    monkeypatch.setattr("sys.platform", "linux")
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        monkeypatch.delenv(name)
    keep_freed_memory()
    assert asked == [(-3, 2**25), (-1, 2**31 - 1)]
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    keep_freed_memory()
    monkeypatch.delenv("MALLOC_ARENA_MAX")
    del libc.mallopt  # another C library
    keep_freed_memory()
    assert len(asked) == 2


def test_workers_that_no_option_names_have_their_cores(monkeypatch):
    """RenderedDataModule takes two workers by itself, on a machine with several cores."""
    shared = []
    monkeypatch.setattr(cli, "share_cores", lambda workers, accelerator: shared.append(workers))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    data = RenderedDataModule(charset="36")
    assert data.num_workers == 2
    made = cli.RecognizerCLI.__new__(cli.RecognizerCLI)
    monkeypatch.setattr(cli.LightningCLI, "instantiate_classes", lambda self: None)
    made.datamodule, made.resolved = data, {"data": {}, "trainer": {"accelerator": "cpu"}}
    made.instantiate_classes()
    for given in ({}, {"init_args": {"num_workers": 3}}):
        made.datamodule, made.resolved["data"] = object(), given
        made.instantiate_classes()
    assert shared == [2, 0, 3]


def test_tasks_of_srun_that_would_each_train_the_whole_are_refused(monkeypatch):
    trainer = SimpleNamespace(strategy=SimpleNamespace(), world_size=1)
    for name, value in (("NTASKS", "4"), ("STEP_NUM_TASKS", "4"), ("JOB_NAME", "train")):
        monkeypatch.setenv(f"SLURM_{name}", value)
    with pytest.raises(ValueError, match="srun started 4 tasks, and the trainer has 1 processes"):
        on_rank_zero(trainer, lambda: None)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert on_rank_zero(trainer, lambda: "decided") == "decided"


def test_the_group_of_processes_is_ended(tmp_path):
    end_process_group()  # there is none
    rendezvous = f"file://{tmp_path / 'rendezvous'}"
    torch.distributed.init_process_group("gloo", rendezvous, rank=0, world_size=1)
    end_process_group()
    assert not torch.distributed.is_initialized()


def test_apples_gpu_is_not_taken(monkeypatch, capsys):
    assert not needs_cpu("auto")
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    assert needs_cpu("auto") and not needs_cpu("cpu")
    assert "takes the CPU, as the losses compute in float64" in capsys.readouterr().out
    for name in ("mps", "gpu"):
        with pytest.raises(SystemExit, match=f"accelerator {name}: the losses compute in float64"):
            needs_cpu(name)
