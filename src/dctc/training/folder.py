"""The folder of a run: marked with its key and locked, so that no other run writes over it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytorch_lightning.utilities import rank_zero_only

from dctc.files import locked

MARK = "run_key"
UNKNOWN = "unknown"
GONE_ON = "+"  # between the keys of a configuration and of that whose training it went on with


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; processes that the trainer starts rely on that of rank 0.

    Raises:
        Busy: If another process holds it.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=False, busy=f"{folder}: another process is at this run"):
        yield


def claim(folder: Path, key: str) -> None:
    """Mark a folder with the key of its run; set aside what belongs to another run.

    Raises:
        ValueError: If runs lie below the folder.
    """
    mark = folder / MARK
    if folder.exists():
        found = marked(folder)
        if found != key and next(folder.glob(f"*/**/{MARK}"), None):
            raise ValueError(f"{folder} holds runs; take another --name, such as one below it")
        if found != key:
            aside = _free_name(folder.with_name(f"{folder.name}.{found}"))
            folder.rename(aside)
            print(f"{folder} held a run of another configuration; that is now {aside}")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"{key}\n")


def go_on(folder: Path, key: str) -> None:
    """Mark a folder whose run goes on from its own checkpoint, under another configuration or not.

    What is neither the run that was begun nor one of the new configuration bears both keys.
    """
    found = marked(folder)
    if found != key and not found.startswith(key + GONE_ON):
        (folder / MARK).write_text(f"{key}{GONE_ON}{found}\n")


def marked(folder: Path) -> str:
    """Return the key that a folder is marked with."""
    mark = folder / MARK
    return mark.read_text().strip() if mark.exists() else UNKNOWN


def _free_name(path: Path) -> Path:
    numbers = itertools.count(2)
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{next(numbers)}")
    return free
