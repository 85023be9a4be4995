"""Peak memory of a piece of torch code, as its allocator sees it."""

from __future__ import annotations

from collections.abc import Callable

import torch


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
