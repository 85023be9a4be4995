"""Writing an LMDB of labelled images: resumable, grown as needed, and complete or not there.

The set is written into ``FOLDER.partial`` and renamed at the end. Every transaction records how far
it got, so that a writer that was killed goes on where the last committed transaction ended.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from dctc.data.records.claim import (
    PROGRESS,
    RECIPE,
    claim,
    committed,
    completed,
    disk_errors,
    write_recipe,
)
from dctc.data.records.record import Fault, Progress, Record
from dctc.data.records.root import PARTIAL
from dctc.files import locked

FIRST_MAP = 64 * 2**20  # bytes, ours; doubled whenever it is full
PER_TRANSACTION = 500  # items, ours: a commit every few hundred milliseconds
NAMED_PER_SET = 10  # ours: faults warned about one by one; all are counted


def write_set(
    folder: str | Path,
    recipe: Mapping[str, Any],
    items: Callable[[int], Iterable[Record | Fault]],
    check: Callable[[Progress], None] = lambda progress: None,
    advance: Callable[[int], None] = lambda taken: None,
) -> Progress:
    """Write a set, or go on with one that was cut off.

    Args:
        folder: The set's folder; it must not exist, or hold the complete set of this recipe.
        recipe: What the items are a function of, in JSON's types. Stored beside the data.
        items: Returns the items of the source from a number on, counted from 0; the same every
            time. Faults are warned about, counted and left out.
        check: Looks at the counts before the set is called complete, also where it was complete
            before, and raises if they are wrong.
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
    if folder.exists():
        return _checked(completed(folder, recipe), check)
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=False, busy=f"{partial}: another process is writing it; wait for it"):
        if folder.exists():  # finished by another process between the two looks
            return _checked(completed(folder, recipe), check)
        partial.mkdir(exist_ok=True)
        try:
            claim(partial, recipe)
            with disk_errors(partial):
                progress = _write_all(partial, items, check, advance)
            write_recipe(partial, {**recipe, "result": vars(progress)})
        except BaseException:
            with suppress(ValueError):  # what cannot be read is the error already, and stays
                if not committed(partial).records:
                    _discard(partial)
            raise
        partial.rename(folder)
    return progress


def _checked(progress: Progress, check: Callable[[Progress], None]) -> Progress:
    """Return the counts of a set that is called complete, unless the check refuses them."""
    check(progress)
    return progress


def _discard(partial: Path) -> None:
    """Remove an unfinished set; a folder with something else in it stays."""
    for name in ("data.mdb", RECIPE):
        (partial / name).unlink(missing_ok=True)
    with suppress(OSError):
        partial.rmdir()


def _write_all(
    partial: Path,
    items: Callable[[int], Iterable[Record | Fault]],
    check: Callable[[Progress], None],
    advance: Callable[[int], None],
) -> Progress:
    # Locks of its own are not needed beside the one above, and would leave a file behind
    environment = lmdb.open(str(partial), map_size=FIRST_MAP, lock=False, meminit=False)
    try:
        with environment.begin() as transaction:
            raw = transaction.get(PROGRESS)
        progress = Progress.decode(raw) if raw else Progress()
        advance(progress.taken)
        stream = iter(items(progress.taken))
        while batch := list(islice(stream, PER_TRANSACTION)):
            progress = _growing(environment, _putter(batch, progress))
            advance(progress.taken)
        check(progress)
        if not progress.records:
            left_out = ", ".join(f"{n:,} {reason}" for reason, n in progress.faults.items())
            raise ValueError(
                f"{partial}: there is no record to write; left out: {left_out or 'nothing'}"
            )

        def finish(transaction: Any) -> None:
            transaction.put(b"num-samples", str(progress.records).encode())

        _growing(environment, finish)
    finally:
        environment.close()
    return progress


def _putter(batch: list[Record | Fault], before: Progress) -> Callable[[Any], Progress]:
    for fault in [item for item in batch if isinstance(item, Fault)]:
        _warn(fault, before)

    def put(transaction: Any) -> Progress:
        progress = Progress(before.taken + len(batch), before.records, Counter(before.faults))
        for item in batch:
            if isinstance(item, Fault):
                progress.faults[item.reason] += 1
                continue
            progress.records += 1
            transaction.put(b"image-%09d" % progress.records, item.image)
            transaction.put(b"label-%09d" % progress.records, item.label.encode())
            if item.extents is not None:
                extents = np.ascontiguousarray(item.extents, np.float32)
                if extents.shape != (len(item.label), 2):
                    raise ValueError(
                        f"record {progress.records}: extents {extents.shape} for the "
                        f"{len(item.label)} characters of {item.label!r}"
                    )
                transaction.put(b"extents-%09d" % progress.records, extents.tobytes())
        transaction.put(PROGRESS, progress.encode())
        return progress

    return put


def _warn(fault: Fault, before: Progress) -> None:
    if before.faults.total() < NAMED_PER_SET:
        warnings.warn(f"{fault}; left out and counted", UserWarning, stacklevel=5)


def _growing(environment: Any, write: Callable[[Any], Any]) -> Any:
    """Run one transaction; where the map is full, double it and run the transaction again."""
    while True:
        try:
            with environment.begin(write=True) as transaction:
                return write(transaction)
        except lmdb.MapFullError:
            environment.set_mapsize(2 * environment.info()["map_size"])
