"""Threads, device, and the end of the process group."""

import pytest
import torch
from pytorch_lightning.accelerators import MPSAccelerator

from dctc.training.machine import compute_in_float32, end_process_group, needs_cpu, share_cores


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
    assert chosen == [3]


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
