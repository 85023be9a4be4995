"""Time of pieces of torch code beside each other, and their peak memory."""

from __future__ import annotations

import math
import os
import statistics
import time
from collections.abc import Callable

import torch

# torch's profiler would print a line for each beginning and end
os.environ.setdefault("KINETO_LOG_LEVEL", "6")


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
    changes = [e.nbytes() for e in results.events() if e.name() == "[memory]"]
    held = peak = 0
    for change in changes:
        held += change
        peak = max(peak, held)
    return peak


def interleaved(
    steps: dict[str, Callable[[], None]],
    repeats: int,
    device: torch.device,
    limit_s: float = math.inf,
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
