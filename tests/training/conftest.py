"""What tests of whole runs share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of runs, the test's own; all below it is computed on one thread."""
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DCTC_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "wandb"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "wandb"))
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for processes that are started
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "runs"
    torch.set_num_threads(threads)
