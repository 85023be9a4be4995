"""Recipe of an LMDB set (``recipe.json``: source, options), and progress of an unfinished one."""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import lmdb

from dctc.data.records.folders import reading
from dctc.files import write_whole

RECIPE = "recipe.json"  # beside data.mdb; what was written, and "result" once it is complete
PROGRESS = b"progress"  # key in data.mdb of the counts while the set is incomplete


@dataclass
class Progress:
    """How far a set has been written."""

    taken: int = 0  # items of the source read, faults included
    records: int = 0  # written
    faults: Counter[str] = field(default_factory=Counter)  # items left out, by reason

    def __post_init__(self) -> None:
        self.faults = Counter(self.faults)

    def left_out(self) -> str:
        """Return the faults in words, for messages."""
        return ", ".join(f"{n:,} {reason}" for reason, n in self.faults.items())


def committed(partial: Path) -> Progress:
    """Return how far an unfinished set has been written.

    Raises:
        ValueError: If what is there cannot be read.
    """
    data = partial / "data.mdb"
    # A full disk may leave no more than a part of the two pages that LMDB begins with
    if not data.is_file() or data.stat().st_size < 2 * PAGESIZE:
        return Progress()
    try:
        with reading(partial) as transaction:
            raw = transaction.get(PROGRESS) or b"{}"
    except ValueError as error:
        raise ValueError(f"{error}, after removing this folder") from error
    return Progress(**json.loads(raw))


def read_recipe(folder: Path) -> dict[str, Any]:
    """Return the recipe of a set, with its result if it is complete; empty if there is none.

    Raises:
        ValueError: If the file is broken.
    """
    file = folder / RECIPE
    if not file.is_file():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except ValueError as error:
        raise ValueError(
            f"{file}: is broken ({error}), contents of the set unknown; remove the folder and "
            f"write the set again"
        ) from error
    return found


def write_recipe(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Write the recipe of a set atomically."""
    text = json.dumps(recipe, indent=1, ensure_ascii=False) + "\n"
    with disk_errors(folder, OSError):
        write_whole(folder / RECIPE, text.encode())


def check_recipe(folder: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ValueError if the recipe of a set is not that of a command that would write it."""
    for key in [*wanted, *found]:
        if found.get(key) != wanted.get(key):
            raise ValueError(
                f"{folder}: was begun with {key} {shortened(found.get(key))}, not "
                f"{shortened(wanted.get(key))}; give the same options, remove it, or name another"
            )


def warn_of_versions(folder: str | Path, found: Any, here: Any) -> None:
    """Warn where a complete set was drawn with other versions of libraries than those here.

    It is used as it is; what is drawn now, such as the held-out words, may differ in single pixels.
    """
    found, here = found or {}, here or {}
    changed = sorted(name for name in {*found, *here} if found.get(name) != here.get(name))
    if changed:
        warnings.warn(
            f"{folder}: drawn with other versions of {', '.join(changed)} than those here; taken "
            f"as it is",
            stacklevel=3,
        )


def shortened(value: Any) -> str:
    """Return a value of a recipe as JSON of at most 60 characters, for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def disk_errors(partial: Path, kind: type[Exception] = lmdb.Error) -> Iterator[None]:
    """Turn errors of writing a set into one OSError that says what to do.

    Of LMDB, a full disk is a DiskError; a quota or a broken disk are others.
    """
    try:
        yield
    except kind as error:
        free = shutil.disk_usage(partial).free
        raise OSError(
            f"{partial}: cannot be written ({error}), {free:,} bytes are free there; make room and "
            f"run the same command again: it goes on from the last committed record"
        ) from error
