"""Small tensors on a CPU: computed by one thread, without barriers, in memory that is reused.

Each operation of more than 32,768 elements is a parallel region of torch's, and ends with a
barrier. Where a core is taken by another process, such as a loading worker, each barrier waits
until the thread on that core has its turn, some milliseconds. Memory that is allocated anew for
each batch is given back to the system and mapped again page by page, which takes longer than the
lattice itself.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

# Elements of the largest tensor up to which a second thread gains less than the barriers cost
SMALL = 2**19


@contextmanager
def on_few_threads(device: torch.device, elements: int) -> Iterator[None]:
    """Compute on the calling thread alone where tensors of so many elements are small for a CPU."""
    threads = torch.get_num_threads() if device.type == "cpu" and elements <= SMALL else 1
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)  # of this thread; others keep theirs
    try:
        yield
    finally:
        torch.set_num_threads(threads)


_kept = threading.local()


def free_workspace() -> None:
    """Give back what :func:`workspace` keeps in this thread."""
    _kept.__dict__.clear()


def workspace(like: Tensor, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Return uninitialised tensors, valid until the next call in this thread.

    On a CPU they lie in memory that stays allocated. It holds as much as the largest call needed.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if like.device.type != "cpu":
        return [like.new_empty(shape) for shape in shapes]
    memory: Tensor | None = getattr(_kept, "memory", None)
    if memory is None or memory.dtype != like.dtype or len(memory) < sum(sizes):
        with torch.inference_mode(False):  # else it could not be written to outside of it
            memory = _kept.memory = torch.empty(sum(sizes), dtype=like.dtype)
    parts = memory[: sum(sizes)].split(sizes)
    return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]
