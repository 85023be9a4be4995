"""Folder of a run: its lock, its key, its checkpoints, and the callback that marks its end."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only

from dctc.files import locked

MARK = "run_key"  # file that holds the key of the run
UNKNOWN = "unknown"  # key of a folder without that file
GONE_ON = "+"  # between the keys of a configuration and of the run that it continued
FINAL = "final.ckpt"  # checkpoint of a finished training
LAST = "last"  # value of fit's --ckpt_path: the last checkpoint of the run itself
CHECKPOINT_EVERY = 100  # optimizer steps; a killed run loses at most as many


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; of several processes of one trainer, rank 0 holds it.

    Raises:
        Busy: If another process holds it.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=False, busy=f"{folder}: another process holds the lock of this run"):
        yield


def claim(folder: Path, key: str) -> None:
    """Create a run's folder and write its key; a folder of another run is renamed first.

    Raises:
        ValueError: If other runs lie below the folder.
    """
    if folder.exists():
        found = marked(folder)
        if found != key and next(folder.glob(f"*/**/{MARK}"), None):
            raise ValueError(f"{folder} holds runs; take another --name, such as one below it")
        if found != key:
            aside = _free_name(folder.with_name(f"{folder.name}.{found}"))
            folder.rename(aside)
            print(f"{folder} held a run of another configuration; that is now {aside}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text(f"{key}\n")


def go_on(folder: Path, key: str) -> None:
    """Write the key of a run that continues from its own checkpoint.

    If the configuration differs from that of the checkpoint, the folder gets both keys, so that
    its result counts for neither.
    """
    found = marked(folder)
    if found != key and not found.startswith(key + GONE_ON):
        (folder / MARK).write_text(f"{key}{GONE_ON}{found}\n")


def marked(folder: Path) -> str:
    """Return the key in a run's folder, or :data:`UNKNOWN`."""
    mark = folder / MARK
    return mark.read_text().strip() if mark.exists() else UNKNOWN


def _free_name(path: Path) -> Path:
    numbers = itertools.count(2)
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{next(numbers)}")
    return free


def digest(file: str) -> str:
    """Return a short hash of a file's content."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8]


class FinalCheckpoint(pl.Callback):
    """Saves a checkpoint when training is complete; a killed run has none.

    Args:
        file: The checkpoint.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_fit_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """Save the checkpoint, unless training was interrupted."""
        if not trainer.interrupted and not trainer.fast_dev_run:
            trainer.save_checkpoint(self.file)
