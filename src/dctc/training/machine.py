"""CPU threads, memory, precision, device and processes of a run; imports that it can spare."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed

Decision = TypeVar("Decision")
_KEPT = {-3: 2**25, -1: 2**31 - 1}  # M_MMAP_THRESHOLD: the most it takes; M_TRIM_THRESHOLD


def needs_cpu(accelerator: Any) -> bool:
    """Tell whether Lightning would choose Apple's GPU (MPS), which has no float64.

    Raises:
        SystemExit: If MPS was asked for.
    """
    # here, as reading images needs no Lightning, which takes seconds to import
    from pytorch_lightning.accelerators import MPSAccelerator
    from pytorch_lightning.utilities import rank_zero_only

    why = "the losses compute in float64, which MPS does not have"
    if not MPSAccelerator.is_available():
        return False
    if accelerator in ("mps", "gpu"):
        raise SystemExit(f"dctc: trainer.accelerator {accelerator}: {why}; take cpu")
    taken = accelerator in (None, "auto")
    if taken:
        rank_zero_only(print)(f"dctc: takes the CPU, as {why}")
    return taken


def share_cores(num_workers: int, accelerator: str = "auto") -> None:
    """Set torch's threads where the net runs on the CPU: data workers get up to half of the cores.

    Threads that wait for each other on a core taken by a worker slow small batches down many times
    over. OMP_NUM_THREADS, if set, is obeyed instead.
    """
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    if not on_gpu and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        cores = cores or 1
        torch.set_num_threads(max(1, cores - min(num_workers, cores // 2)))


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks of up to 32 MiB, so that each step on a CPU finds them mapped.

    glibc's own variables, ``MALLOC_...`` and ``GLIBC_TUNABLES``, are obeyed instead if one is set.
    Other C libraries stay as they are.
    """
    chosen = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if sys.platform == "linux" and not chosen:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            for option, value in _KEPT.items():
                mallopt(option, value)


def compute_in_float32() -> None:
    """Switch TF32 off, so that float32 on a GPU is what it is on a CPU.

    torch lets a GPU round to TF32 in convolutions and LSTMs. Use ``trainer.precision`` for lower
    precision.
    """
    torch.backends.cudnn.allow_tf32 = False


@contextmanager
def without_wandb() -> Iterator[None]:
    """Make ``import wandb`` fail inside the context; timm imports it wherever it is installed."""
    if "wandb" in sys.modules:
        yield
        return
    sys.modules["wandb"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["wandb"]


def on_rank_zero(trainer: Any, decide: Callable[[], Decision]) -> Decision:
    """Let rank 0 alone decide something, and return its decision in every process.

    Processes that torchrun or SLURM started decide before the training connects them, and a
    networked disk may show them different files. Those that Lightning starts itself begin later
    and find what rank 0 has left, so that they may decide for themselves.

    Args:
        trainer: The trainer.
        decide: Returns what is to be broadcast; it is called on rank 0.

    Raises:
        SystemExit: In the other processes, if rank 0 raises an error.
        ValueError: If other processes were started than the trainer's devices and nodes need.
    """
    from pytorch_lightning.plugins.environments import (
        LightningEnvironment,
        SLURMEnvironment,
        TorchElasticEnvironment,
    )

    strategy = trainer.strategy
    if TorchElasticEnvironment.detect():  # else each would train the whole, where devices is 1
        TorchElasticEnvironment().validate_settings(trainer.num_devices, trainer.num_nodes)
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))
    if SLURMEnvironment.detect() and tasks > 1 and tasks != trainer.world_size:
        raise ValueError(
            f"srun started {tasks} tasks, and the trainer has {trainer.world_size} processes: each "
            f"task would train the whole; set trainer.devices and trainer.num_nodes, or --ntasks 1"
        )
    started = getattr(strategy, "cluster_environment", None)
    if trainer.world_size == 1 or started is None or isinstance(started, LightningEnvironment):
        return decide()
    started.validate_settings(trainer.num_devices, trainer.num_nodes)  # of SLURM
    strategy.setup_environment()  # which the training will do too, without effect
    if trainer.global_rank:
        decisions = strategy.broadcast([])
        if not decisions:
            raise SystemExit(1)
        return cast(Decision, decisions[0])
    decisions = []
    try:
        decisions.append(decide())
    finally:
        strategy.broadcast(decisions)
    return cast(Decision, decisions[0])


def end_process_group() -> None:
    """Destroy the process group, if there is one, before the interpreter exits.

    Lightning does so for GPUs alone. The threads of gloo, the backend on CPUs, can abort an
    interpreter that exits beside them (pytorch issue 190489).
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
