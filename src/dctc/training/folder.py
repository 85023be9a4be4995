"""The folder of a run: marked with the run's key, so that no other run writes over it."""

from __future__ import annotations

import itertools
from pathlib import Path


def claim(folder: Path, key: str) -> None:
    """Mark a folder with the key of its run; set aside what belongs to another run."""
    mark = folder / "run_key"
    if folder.exists():
        found = mark.read_text().strip() if mark.exists() else "unknown"
        if found != key:
            aside = _free_name(folder.with_name(f"{folder.name}.{found}"))
            folder.rename(aside)
            print(f"{folder} held a run of another configuration; that is now {aside}")
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"{key}\n")


def _free_name(path: Path) -> Path:
    numbers = itertools.count(2)
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{next(numbers)}")
    return free
