"""Whose set a folder holds: the recipe beside the data, and how far the data got."""

from __future__ import annotations

import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from mmap import PAGESIZE
from pathlib import Path
from typing import Any

import lmdb

from dctc.data.records.environment import open_environment
from dctc.data.records.record import Progress
from dctc.files import write_whole

RECIPE = "recipe.json"  # beside data.mdb; what was written, and "result" once it is complete
PROGRESS = b"progress"  # its key in data.mdb while the set is incomplete


def completed(folder: Path, recipe: dict[str, Any]) -> Progress:
    """Return the counts of a complete set.

    Raises:
        ValueError: If the folder holds something else.
    """
    found = read_recipe(folder)
    result = found.pop("result", None)
    if result is None:
        raise ValueError(f"{folder}: exists already, and not by this command; name another folder")
    recipe = dict(recipe)
    warn_of_versions(folder, found.pop("versions", None), recipe.pop("versions", None))
    _compare(folder, found, recipe)
    return Progress(result["taken"], result["records"], Counter(result["faults"]))


def claim(partial: Path, recipe: dict[str, Any]) -> None:
    """Make an unfinished folder that of a recipe.

    Raises:
        ValueError: If records of another recipe have been committed, or they cannot be read.
        OSError: If the disk is full.
    """
    for left in partial.glob(f".*.{RECIPE}"):  # of a writer that was killed
        left.unlink()
    if not committed(partial).taken:  # before the first transaction any recipe may take over
        (partial / "data.mdb").unlink(missing_ok=True)
        write_recipe(partial, recipe)
        return
    found = read_recipe(partial)
    found.pop("result", None)
    _compare(partial, found, recipe)


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
        environment = open_environment(partial)
    except ValueError as error:
        raise ValueError(f"{error}, after removing this folder") from error
    with environment.begin() as transaction:
        raw = transaction.get(PROGRESS)
    return Progress.decode(raw) if raw else Progress()


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
            f"{file}: is broken ({error}), so that nobody knows what the data beside it is; "
            f"remove the folder and write the set again"
        ) from error
    return found


def write_recipe(folder: Path, recipe: dict[str, Any]) -> None:
    """Write the recipe of a set: the whole file, or what was there before.

    Raises:
        OSError: If the disk is full.
    """
    text = json.dumps(recipe, indent=1, ensure_ascii=False) + "\n"
    with disk_errors(folder, OSError):
        write_whole(folder / RECIPE, text.encode())


def _compare(folder: Path, found: dict[str, Any], recipe: dict[str, Any]) -> None:
    for key in [*recipe, *found]:
        if found.get(key) != recipe.get(key):
            raise ValueError(
                f"{folder}: was begun with {key} {shortened(found.get(key))}, not "
                f"{shortened(recipe.get(key))}; give the same options, remove it, or name another"
            )


def warn_of_versions(folder: str | Path, found: Any, here: Any) -> None:
    """Warn where a complete set was drawn with other versions of libraries than those here.

    It is what it is; what is drawn now, such as the held-out words, may differ in single pixels.
    """
    if found != here:
        changed = sorted(
            name
            for name in {*(found or {}), *(here or {})}
            if (found or {}).get(name) != (here or {}).get(name)
        )
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
    """Say what to do where a set cannot be written.

    Args:
        partial: Its folder.
        kind: What writing raises. Of LMDB, a full disk is a DiskError, a quota or a broken disk
            are others.
    """
    try:
        yield
    except kind as error:
        free = shutil.disk_usage(partial).free
        raise OSError(
            f"{partial}: cannot be written ({error}), {free:,} bytes are free there; make room and "
            f"run the same command again: it goes on from the last committed record"
        ) from error
