"""Writing an LMDB of labelled images: resumable, grown as needed, and complete or not there.

The set is written into ``FOLDER.partial`` and renamed at the end. Every transaction records how far
it got, so that a writer that was killed goes on where the last committed transaction ended.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from dctc.data.record import Fault, Progress, Record

RECIPE = "recipe.json"  # beside data.mdb; what was written, and "result" once it is complete
PROGRESS = b"progress"  # its key while the set is incomplete
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
        check: Looks at the counts before the set is called complete, and raises if they are wrong.
        advance: Told how many items have been taken, after every transaction.

    Returns:
        The counts of the complete set.

    Raises:
        ValueError: If the folder, or what is left of an earlier attempt, has another recipe, or
            there is no record to write.
        OSError: If the disk is full, or another process writes this set. What has been committed
            stays, and the same call goes on from there.
    """
    folder = Path(folder)
    partial = folder.with_name(f"{folder.name}.partial")
    recipe = dict(json.loads(json.dumps(recipe)))  # as it comes back from the file
    if folder.exists():
        return _completed(folder, recipe)
    partial.mkdir(parents=True, exist_ok=True)
    with (partial / "lock").open("w") as lock:
        try:
            # not flock: drawing workers would inherit it, and they outlive a killed writer a while
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise OSError(f"{partial}: another process is writing it; wait for it") from error
        if folder.exists():  # finished by that other process between the two looks
            return _completed(folder, recipe)
        _claim(partial, recipe)
        with _disk_errors(partial):
            progress = _write_all(partial, items, check, advance)
        done = {**recipe, "result": vars(progress)}
        (partial / RECIPE).write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n")
        (partial / "lock").unlink()
        partial.rename(folder)
    return progress


def _completed(folder: Path, recipe: dict[str, Any]) -> Progress:
    file = folder / RECIPE
    found = json.loads(file.read_text()) if file.is_file() else {}
    result = found.pop("result", None)
    if result is None:
        raise ValueError(f"{folder}: exists already, and not by this command; name another folder")
    _compare(folder, found, recipe)
    return Progress(result["taken"], result["records"], Counter(result["faults"]))


def _claim(partial: Path, recipe: dict[str, Any]) -> None:
    file = partial / RECIPE
    if _begun(partial):
        found = json.loads(file.read_text())
        found.pop("result", None)
        _compare(partial, found, recipe)
        return
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(recipe, indent=1, ensure_ascii=False) + "\n")
    fresh.rename(file)


def _begun(partial: Path) -> bool:
    """Tell whether a transaction has been committed; before that any recipe may take over."""
    if not (partial / "data.mdb").is_file():
        return False
    environment = lmdb.open(str(partial), readonly=True, lock=False)
    with environment.begin() as transaction:
        begun = transaction.get(PROGRESS) is not None
    environment.close()
    return begun


def _compare(folder: Path, found: dict[str, Any], recipe: dict[str, Any]) -> None:
    for key in [*recipe, *found]:
        if found.get(key) != recipe.get(key):
            raise ValueError(
                f"{folder}: was begun with {key} {shortened(found.get(key))}, not "
                f"{shortened(recipe.get(key))}; give the same options, remove it, or name another"
            )


def shortened(value: Any) -> str:
    """Return a value of a recipe as JSON of at most 60 characters, for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def _disk_errors(partial: Path) -> Iterator[None]:
    try:
        yield
    except lmdb.Error as error:  # a full disk is lmdb.DiskError, a quota or a broken disk others
        free = shutil.disk_usage(partial).free
        raise OSError(
            f"{partial}: cannot be written ({error}), {free:,} bytes are free there; make room and "
            f"run the same command again: it goes on from the last committed record"
        ) from error


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
        if not progress.records:
            raise ValueError(f"{partial}: there is no record to write; left out: {progress.faults}")
        check(progress)

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
