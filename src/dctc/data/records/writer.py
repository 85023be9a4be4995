"""Write an LMDB of labelled images: resumable, grown as needed, and either complete or not there.

The set is written into ``FOLDER.partial`` and renamed at the end. Every transaction records how far
it got, so that an interrupted writer resumes after the last committed transaction.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import numpy as np

from dctc.data.records.folders import PARTIAL
from dctc.data.records.provenance import (
    PROGRESS,
    RECIPE,
    Progress,
    check_recipe,
    committed,
    disk_errors,
    read_recipe,
    warn_of_versions,
    write_recipe,
)
from dctc.files import locked, remove_partials

FIRST_MAP = 64 * 2**20  # bytes, ours; doubled whenever it is full
PER_TRANSACTION = 500  # items, ours: a commit every few hundred milliseconds
NAMED_PER_SET = 10  # ours: faults warned about one by one; all are counted


class Record(NamedTuple):
    """One record to write; what it consists of is documented in :mod:`dctc.data.records.lmdb`."""

    image: bytes  # encoded
    label: str
    extents: np.ndarray | None = None  # (s, 2) float32


class Fault(NamedTuple):
    """An item of the source that cannot be written."""

    name: str  # which one
    reason: str  # why, in a few words; faults are counted by it
    detail: str = ""  # what was seen

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" + (f" ({self.detail})" if self.detail else "")


Items = Callable[[int], Iterable[Record | Fault]]


def write_set(
    folder: str | Path,
    recipe: Mapping[str, Any],
    items: Items,
    check: Callable[[Progress], None] = lambda progress: None,
    advance: Callable[[int], None] = lambda taken: None,
) -> Progress:
    """Write a set, or go on with one that was cut off.

    Args:
        folder: The set's folder; it must not exist, or be complete and of this recipe.
        recipe: What the items are a function of, in JSON's types. Stored beside the data.
        items: Returns the items of the source from a number on, counted from 0; the same every
            time. Faults are warned about, counted and left out.
        check: Given the counts before the set is called complete, also of a set that was complete
            before; raises if they are wrong.
        advance: Told how many items have been taken, after every transaction.

    Returns:
        The counts of the complete set.

    Raises:
        ValueError: If the folder, or what is left of an earlier attempt, has another recipe, or
            there is no record to write.
        Busy: If another process writes this set.
        OSError: If the disk is full. Records that have been committed stay, and the same call goes
            on from there.
    """
    folder = Path(folder)
    partial = folder.with_name(f"{folder.name}{PARTIAL}")
    recipe = dict(json.loads(json.dumps(recipe)))  # as it comes back from the file
    if not folder.exists():
        lock, busy = folder.with_name(f".{folder.name}.lock"), "another process is writing it"
        with locked(lock, wait=False, busy=f"{partial}: {busy}; wait for it"):
            if not folder.exists():  # finished by that other process between the two looks
                partial.mkdir(exist_ok=True)
                try:
                    progress = _claim(partial, recipe)
                    with disk_errors(partial):
                        progress = _write_all(partial, progress, items, check, advance)
                    write_recipe(partial, {**recipe, "result": vars(progress)})
                except BaseException:
                    with suppress(ValueError):  # what cannot be read is the error already; it stays
                        if not committed(partial).records:
                            _discard(partial)
                    raise
                partial.rename(folder)
                return progress
    progress = _completed(folder, recipe)
    check(progress)
    return progress


def _completed(folder: Path, recipe: dict[str, Any]) -> Progress:
    """Return the counts of a complete set of this recipe."""
    found = read_recipe(folder)
    result = found.pop("result", None)
    if result is None:
        raise ValueError(
            f"{folder}: exists already, and is no set of this command; remove it or name another"
        )
    wanted = dict(recipe)
    warn_of_versions(folder, found.pop("versions", None), wanted.pop("versions", None))
    check_recipe(folder, found, wanted)
    return Progress(**result)


SOURCE_HASH = "source_sha256"  # in a recipe: of the file that lists what is written


def _claim(partial: Path, recipe: dict[str, Any]) -> Progress:
    """Check that an unfinished folder is of this recipe, or make it so if nothing is in it yet.

    Returns:
        How far it has been written.
    """
    remove_partials(partial)
    progress = committed(partial)
    found = read_recipe(partial) if progress.taken else {}
    found.pop("result", None)
    mended = {**found, SOURCE_HASH: recipe.get(SOURCE_HASH)} == {**recipe} != found
    if progress.taken and not mended:
        check_recipe(partial, found, recipe)
    else:  # before the first transaction any recipe may take over, or that of a mended table
        progress = Progress()
        (partial / "data.mdb").unlink(missing_ok=True)
        write_recipe(partial, recipe)
    return progress


def _discard(partial: Path) -> None:
    """Remove an unfinished set; a folder with something else in it stays."""
    for name in ("data.mdb", RECIPE):
        (partial / name).unlink(missing_ok=True)
    with suppress(OSError):
        partial.rmdir()


def _write_all(
    partial: Path,
    progress: Progress,
    items: Items,
    check: Callable[[Progress], None],
    advance: Callable[[int], None],
) -> Progress:
    # Locks of its own are not needed beside that of write_set, and would leave a file behind
    environment = lmdb.open(str(partial), map_size=FIRST_MAP, lock=False, meminit=False)
    try:
        advance(progress.taken)
        stream = iter(items(progress.taken))
        while batch := list(islice(stream, PER_TRANSACTION)):
            faults = [item for item in batch if isinstance(item, Fault)]
            for fault in faults[: max(0, NAMED_PER_SET - progress.faults.total())]:
                warnings.warn(f"{fault}; left out and counted", UserWarning, stacklevel=3)
            progress = _growing(environment, functools.partial(_put, batch, progress))
            advance(progress.taken)
        check(progress)
        if not progress.records:
            left_out = progress.left_out() or "nothing"
            raise ValueError(f"{partial}: there is no record to write; left out: {left_out}")
        count = str(progress.records).encode()
        _growing(environment, lambda transaction: transaction.put(b"num-samples", count))
    finally:
        environment.close()
    return progress


def _put(batch: list[Record | Fault], before: Progress, transaction: Any) -> Progress:
    progress = Progress(before.taken + len(batch), before.records, before.faults)
    for item in batch:
        if isinstance(item, Fault):
            progress.faults[item.reason] += 1
            continue
        progress.records += 1
        transaction.put(b"image-%09d" % progress.records, item.image)
        transaction.put(b"label-%09d" % progress.records, item.label.encode())
        if item.extents is not None:
            extents = np.asarray(item.extents, np.float32)
            if extents.shape != (len(item.label), 2):
                raise ValueError(
                    f"record {progress.records}: extents {extents.shape} for the "
                    f"{len(item.label)} characters of {item.label!r}"
                )
            transaction.put(b"extents-%09d" % progress.records, extents.tobytes())
    transaction.put(PROGRESS, json.dumps(vars(progress)).encode())
    return progress


def _growing(environment: Any, write: Callable[[Any], Any]) -> Any:
    """Run one transaction; where the map is full, double it and run the transaction again."""
    while True:
        try:
            with environment.begin(write=True) as transaction:
                return write(transaction)
        except lmdb.MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])
