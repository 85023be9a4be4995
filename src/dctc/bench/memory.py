"""Whether reading a data set takes more and more memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from dctc.data.records.sampler import Draw

FREE_DRAWS = 4  # the first quarter of the draws fills caches and is not measured


def random_draws(size: int, count: int) -> Iterator[Draw]:
    """Yield draws all over a set, the same every time."""
    generator = torch.Generator().manual_seed(0)
    for i, index in enumerate(torch.randint(size, (count,), generator=generator).tolist()):
        yield Draw(index, i)


def memory_growth(dataset: Any, draws: int) -> int | None:
    """Return by how many bytes a process grows while it reads; None where that is not known."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(_growth, dataset, draws).result()


def _growth(dataset: Any, draws: int) -> int | None:
    before = None
    for i, draw in enumerate(random_draws(len(dataset), draws)):
        if i == draws // FREE_DRAWS:
            before = _anonymous_bytes()
        dataset[draw]
    after = _anonymous_bytes()
    return None if before is None or after is None else after - before


def _anonymous_bytes() -> int | None:
    """Return this process's own memory, without mapped files: an LMDB fills the page cache."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((1024 * int(s.split()[1]) for s in lines if s.startswith("RssAnon:")), None)
