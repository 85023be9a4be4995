"""Find, open and count LMDB folders; tell training from test folders by their paths."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import lmdb

from dctc.files import walk

ENVIRONMENT_VARIABLE = "DCTC_DATA"
# Folders that hold one side of a split, in the releases of PARSeq and of clovaai. MJSynth has a
# `test` part that everyone trains on (train/synth/MJ/test), so a train folder above it decides.
TRAIN_FOLDERS = frozenset({"train", "training", "val", "valid", "validation"})
TEST_FOLDERS = frozenset({"test", "testing", "evaluation"})
_MAGIC = b"\xde\xc0\xef\xbe"  # of LMDB (mdb.c, MDB_MAGIC), 16 bytes into its file
_COUNT_MISSING = "it has records, but not their number: write that there, in decimal digits"
PARTIAL = ".partial"  # how the folder ends that a set is written into until it is complete

# LMDB forbids a second environment on one folder within a process, so data sets share them. Keyed
# by the process too: an environment must not be used beyond a fork.
_environments: WeakValueDictionary[tuple[int, str], Any] = WeakValueDictionary()


class Stored(NamedTuple):
    """A record as stored: encoded image, label and extents; None where there is none."""

    image: bytes | None
    label: bytes | None
    extents: bytes | None


def read_record(transaction: Any, number: int) -> Stored:
    """Read a record, counted from 1; its keys are documented in :mod:`dctc.data.records.lmdb`."""
    keys = (b"image-%09d", b"label-%09d", b"extents-%09d")
    return Stored(*(transaction.get(key % number) for key in keys))


def label_text(raw: bytes, errors: str = "strict") -> str:
    """Return a stored label as text, without the blanks around it, which are no part of a label.

    Raises:
        UnicodeDecodeError: If it is not UTF-8, unless ``errors`` replaces what is not.
    """
    return raw.decode(errors=errors).strip()


def data_root(root: str | Path | None = None) -> Path:
    """Return ``root``, else the folder named by ``DCTC_DATA``, else ``./data``."""
    return Path(root or os.environ.get(ENVIRONMENT_VARIABLE) or "data").absolute()


def find_lmdbs(root: str | Path, unfinished: bool = False) -> dict[str, Path]:
    """Return the LMDB folders below ``root`` (or ``root`` itself), by relative path, sorted.

    Links are followed; a folder reached twice is listed once.

    Args:
        root: Where to look.
        unfinished: Look below ``root`` for sets that have not been written to the end too.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If it is an LMDB of a single file; of one below it there is a warning.
    """
    root = Path(root)
    refuse_single_file(root)
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root}: no such folder of LMDBs; {ENVIRONMENT_VARIABLE} or data_root names the data "
            f"root"
        )
    found: dict[str, Path] = {}
    for folder, below, files in walk(root):
        below[:] = [name for name in below if unfinished or not name.endswith(PARTIAL)]
        for name in files:
            if name != "data.mdb" and name.endswith((".lmdb", ".mdb")):
                if fault := _single_file(Path(folder, name)):
                    warnings.warn(f"{fault}; left out", stacklevel=2)
        if "data.mdb" in files:
            found[Path(folder).relative_to(root).as_posix()] = Path(folder)
    return dict(sorted(found.items()))


def place_of(folder: Path, root: Path, named: Path | None = None) -> Path:
    """Return the path of a folder below a root; of one elsewhere, the end of its path.

    This end names the set: the last three parts, or all from a folder on that was named. What lies
    above says nothing: the home of all data may be called ``test``.
    """
    if folder.is_relative_to(root):
        return folder.relative_to(root)
    top = named if named and folder.is_relative_to(named) else folder
    return Path(*folder.parts[-max(3, len(folder.parts) - len(top.parts) + 1) :])


def split_side(folder: Path) -> str | None:
    """Tell from its path which side of a split a folder is on: ``train``, ``test`` or None."""
    parts = {part.lower() for part in folder.parts}
    if parts & TRAIN_FOLDERS:
        return "train"
    return "test" if parts & TEST_FOLDERS else None


def refuse_single_file(path: Path) -> None:
    """Raise ValueError if a path is an LMDB of a single file, such as ``words.lmdb``."""
    if fault := _single_file(path):
        raise ValueError(f"{fault}, and give the folder")


def _single_file(path: Path) -> str:
    """Return what to do with an LMDB of a single file; empty if a path is none."""
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(20)[16:] == _MAGIC:
                return f"LMDB {path}: is a single file; make a folder, move it there as data.mdb"
    return ""


def open_environment(folder: str | Path) -> Any:
    """Open an LMDB folder read-only, once per process, if it is complete.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If ``data.mdb`` is not an LMDB, or is cut off.
    """
    folder = Path(folder).resolve()
    refuse_single_file(folder)
    if not (folder / "data.mdb").is_file():
        what = "holds no data.mdb" if folder.is_dir() else "is not a folder"
        raise FileNotFoundError(f"LMDB {folder}: {what}; give the folder that data.mdb lies in")
    here = os.getpid()
    for (process, path), inherited in list(_environments.items()):
        if process != here:  # came over a fork: closing this copy leaves the parent's alone
            inherited.close()
            del _environments[process, path]
    environment = _environments.get((here, str(folder)))
    if environment is None:
        try:
            environment = lmdb.open(
                str(folder), readonly=True, lock=False, readahead=False, meminit=False
            )
        except lmdb.Error as error:
            raise ValueError(
                f"LMDB {folder}: data.mdb cannot be opened ({error}); fetch or convert it again"
            ) from error
        used = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
        size = (folder / "data.mdb").stat().st_size
        if size < used:  # reading past the end would kill the process
            environment.close()
            raise ValueError(
                f"LMDB {folder}: data.mdb has {size:,} of {used:,} bytes; it is cut off: fetch or "
                f"convert it again"
            )
        _environments[here, str(folder)] = environment
    return environment


@contextmanager
def reading(folder: str | Path) -> Iterator[Any]:
    """Open a read transaction on an LMDB folder.

    Raises:
        FileNotFoundError: As :func:`open_environment`.
        ValueError: The same; and for what LMDB raises where a page is damaged.
    """
    try:
        with open_environment(folder).begin() as transaction:
            yield transaction
    except lmdb.Error as error:
        raise ValueError(
            f"LMDB {folder}: data.mdb is damaged ({error}); 'dctc data verify' names the records; "
            f"fetch or convert it again"
        ) from error


def count_records(folder: str | Path) -> int:
    """Return ``num-samples`` of an LMDB folder, checked against the records that exist.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If it is not an LMDB, or its ``num-samples`` is missing, not a number, zero, or
            larger than the number of the last record.
    """
    with reading(folder) as transaction:
        raw = transaction.get(b"num-samples")
        if raw is None:
            raise ValueError(
                f"LMDB {folder}: no num-samples; {_other_keys(transaction) or _COUNT_MISSING}"
            )
        try:
            count = int(raw)
        except ValueError as error:
            raise ValueError(
                f"LMDB {folder}: num-samples is {raw[:20]!r}, not a number; convert the set again"
            ) from error
        if count < 1:
            raise ValueError(f"LMDB {folder}: num-samples is {count}: the set is empty")
        last, beyond = (read_record(transaction, number) for number in (count, count + 1))
        if last == (None, None, None):
            reason = _other_keys(transaction) or (
                "the set is incomplete: fetch or convert it again"
            )
            raise ValueError(
                f"LMDB {folder}: num-samples is {count:,}, but there is no record {count:,}; "
                f"{reason}"
            )
        if beyond != (None, None, None):
            warnings.warn(
                f"LMDB {folder}: num-samples is {count:,}, but there is a record {count + 1:,}; "
                f"the records above num-samples are not read",
                UserWarning,
                stacklevel=2,
            )
    return count


def _other_keys(transaction: Any) -> str:
    """Tell how the keys of another tool's set differ from those that are read; empty if not."""
    cursor = transaction.cursor()
    if not cursor.set_range(b"image-") or not cursor.key().startswith(b"image-"):
        first = repr(cursor.key()[:20]) if cursor.first() else "nothing"
        return f"it is no set of labelled images: no key begins with image-, the first is {first}"
    key = cursor.key()
    number = key.removeprefix(b"image-")
    example = f"{key[:30].decode(errors='replace')} where image-000000001 is read"
    if len(number) != 9 or not number.isdigit():
        digits = f"have {len(number)} digits" if number.isdigit() else "are not numbers"
        return f"its keys {digits} ({example}); write the set again"
    if not int(number):
        return f"its records are counted from 0 ({example}); write the set again"
    return ""
