"""CPU threads, float precision and device of a run, and imports that it can spare."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


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
    """Set torch's threads so that each data worker has a core, where the net runs on the CPU.

    Threads that wait for each other on a core taken by a worker slow small batches down many times
    over. OMP_NUM_THREADS, if set, is obeyed instead.
    """
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    if not on_gpu and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, (cores or 1) - num_workers))


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
