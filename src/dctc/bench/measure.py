"""Median time and peak memory of torch code, measured side by side."""

from __future__ import annotations

import json
import math
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dctc.ctc.threads import free_workspace
from dctc.files import write_whole
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.tables import Table

# torch's profiler would print a line for each beginning and end
os.environ.setdefault("KINETO_LOG_LEVEL", "6")
Steps = dict[str, Callable[[], None]]
# Operations whose result the CPU needs to go on
WAITS = ("_local_scalar_dense", "equal", "masked_select", "nonzero", "unique_dim", "_unique2")


def default_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Launches(TorchDispatchMode):
    """Counts what is launched on a device, and how often the CPU waits for it.

    An operation of torch's that is neither a view nor an allocation counts as one launch, a Triton
    kernel too. For a GPU, operations on tensors of the CPU do not count.

    Args:
        device: Where the launches are counted.

    Attributes:
        launches: Operations and kernels, by name.
        waits: Those whose result the CPU has to wait for.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.device, self.inside = device, False
        self.launches: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and count it."""
        result = func(*args, **(kwargs or {}))
        parts = (*args, *(result if isinstance(result, (tuple, list)) else [result]))
        there = any(isinstance(x, Tensor) and x.device.type == self.device.type for x in parts)
        name = func.overloadpacket.__name__
        if there and not (self.inside or func.is_view or "empty" in name):
            self.launches[name] += 1
            to_cpu = isinstance(result, Tensor) and result.device.type != self.device.type
            self.waits[name] += name in WAITS or to_cpu
        return result

    @contextmanager
    def counting(self) -> Iterator[Launches]:
        """Count what runs in here; Triton's launches where triton is loaded already."""
        jit = sys.modules.get("triton.runtime.jit")
        interface: Any = jit.KernelInterface if jit else SimpleNamespace(__getitem__=None)
        launcher = interface.__getitem__

        def launch(kernel: Any, grid: Any) -> Callable[..., Any]:
            def run(*args: Any, **kwargs: Any) -> Any:
                self.launches[kernel.__name__] += 1
                self.inside = True  # what Triton's interpreter does is no operation of ours
                try:
                    return launcher(kernel, grid)(*args, **kwargs)
                finally:
                    self.inside = False

            return run

        interface.__getitem__ = launch
        try:
            with self:
                yield self
        finally:
            interface.__getitem__ = launcher


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Let torch compute with so many CPU threads."""
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def peak_memory(step: Callable[[], None], device: torch.device) -> int:
    """Return the most bytes allocated at any moment of ``step``, beyond what was there before.

    On a CPU the allocations are read off the profiler, so those inside of native kernels count. The
    workspace of the losses, which stays allocated between steps, counts as part of the step.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    free_workspace()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        step()
    results = profile.profiler.kineto_results
    held = peak = 0
    for event in results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def interleaved(
    steps: Steps, repeats: int, device: torch.device, limit_s: float = math.inf
) -> dict[str, float]:
    """Return the median seconds of each step; one of each is run in turn, after a warm-up.

    Every other turn goes backwards, so that no step always finds the caches as the same one left
    them. On a GPU these are seconds between two CUDA events: from the first launch to the end of
    the last one, with what the device waits for Python in between.

    Args:
        steps: What to time.
        repeats: How often.
        device: Where the steps compute.
        limit_s: Seconds after which no further turn begins; one is taken in any case.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    end = time.perf_counter() + limit_s
    for repeat in range(repeats + 1):
        if repeat > 1 and time.perf_counter() > end:
            break
        for name in reversed(steps) if repeat % 2 else steps:
            taken = _seconds(steps[name], device)
            if repeat:
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    if device.type != "cuda":
        began = time.perf_counter()
        step()
        return time.perf_counter() - began
    with torch.cuda.device(device):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        step()
        end.record()
        end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def graphed(step: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Capture a step on a GPU as a CUDA graph; its replay launches everything without Python.

    Args:
        step: Must not wait for the device, nor copy from memory that is not pinned.
        device: The GPU.

    Raises:
        RuntimeError: If the step cannot be captured.
    """
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # not the usual one, as torch's documentation asks
            for _ in range(3):  # kernels are compiled, memory is allocated
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    return graph.replay


def time_and_memory(steps: Steps, repeats: int, device: torch.device) -> dict[str, Any]:
    """Return ``median_s`` and ``peak_bytes`` of each step, see above."""
    return {
        "median_s": interleaved(steps, repeats, device),
        "peak_bytes": {name: peak_memory(step, device) for name, step in steps.items()},
    }


def report(
    name: str, scale: str, measured: Mapping[str, Any], draw: Callable[[dict[str, Any]], Table]
) -> None:
    """Write measurements and environment below the runs, and print their table.

    The file is ``bench/<name>.json`` at the scale ``small``, whose results are published; at others
    ``bench/<name>-<scale>.json``.
    """
    written = {**environment(), **measured}
    table = draw(written)
    file = runs_folder() / "bench" / f"{name if scale == 'small' else f'{name}-{scale}'}.json"
    write_whole(file, (json.dumps(written, indent=1) + "\n").encode())
    table.print()
    print(f"written to {file}")
