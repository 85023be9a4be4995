"""Median time and peak memory of torch code, measured side by side."""

from __future__ import annotations

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console

from dctc.files import write_whole
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table

# torch's profiler would print a line for each beginning and end
os.environ.setdefault("KINETO_LOG_LEVEL", "6")
Steps = dict[str, Callable[[], None]]


def default_device() -> torch.device:
    """Return the GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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

    On a CPU the allocations are read off the profiler, so those inside of native kernels count.

    Args:
        step: What to run.
        device: Where it allocates.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
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
    them.

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
            _synchronize(device)
            began = time.perf_counter()
            steps[name]()
            _synchronize(device)
            if repeat:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_and_memory(steps: Steps, repeats: int, device: torch.device) -> dict[str, Any]:
    """Return ``median_s`` and ``peak_bytes`` of each step, see above."""
    return {
        "median_s": interleaved(steps, repeats, device),
        "peak_bytes": {name: peak_memory(step, device) for name, step in steps.items()},
    }


def report(name: str, measured: Mapping[str, Any], draw: Callable[[dict[str, Any]], Table]) -> None:
    """Print a table of measurements, and write them with the environment as JSON.

    Args:
        name: The file is ``<runs>/bench/<name>.json``.
        measured: What was measured.
        draw: Returns the table of what is written.
    """
    written = {**environment(), **measured}
    draw(written).print(Console())
    file = runs_folder() / "bench" / f"{name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (json.dumps(written, indent=1) + "\n").encode())
    print(f"written to {file}")
