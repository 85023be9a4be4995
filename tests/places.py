"""The folder below which a test, or all tests of a module, have their runs and data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch


@contextmanager
def runs_in(folder: Path) -> Iterator[pytest.MonkeyPatch]:
    """Let runs, data and what W&B keeps lie below a folder, and compute on one thread."""
    threads, patch = torch.get_num_threads(), pytest.MonkeyPatch()
    places = {"DCTC_RUNS": "runs", "DCTC_DATA": "data"}
    places |= {"WANDB_DATA_DIR": "wandb", "WANDB_CACHE_DIR": "wandb"}
    for name, place in places.items():
        patch.setenv(name, str(folder / place))
    patch.delenv("PL_GLOBAL_SEED", raising=False)
    patch.setenv("OMP_NUM_THREADS", "1")  # for processes that are started
    torch.set_num_threads(1)
    try:
        yield patch
    finally:
        torch.set_num_threads(threads)
        patch.undo()
