"""Opening an LMDB folder: once per process, read-only, and only if it is complete."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import lmdb

# LMDB forbids a second environment on one folder within a process, so data sets share them. Keyed
# by the process too: an environment must not be used beyond a fork.
_environments: WeakValueDictionary[tuple[int, str], Any] = WeakValueDictionary()


def open_environment(folder: str | Path) -> Any:
    """Open an LMDB folder read-only, once per process.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If ``data.mdb`` is not an LMDB.
    """
    folder = Path(folder).resolve()
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


def count_records(folder: str | Path) -> int:
    """Return ``num-samples`` of an LMDB folder, checked against the records that exist.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If it is not an LMDB, or its ``num-samples`` is missing, not a number, zero, or
            larger than the number of the last record.
    """
    with open_environment(folder).begin() as transaction:
        raw = transaction.get(b"num-samples")
        if raw is None:
            raise ValueError(f"LMDB {folder}: no num-samples; it is not a set of labelled images")
        try:
            count = int(raw)
        except ValueError as error:
            raise ValueError(
                f"LMDB {folder}: num-samples is {raw[:20]!r}, not a number; convert the set again"
            ) from error
        if count < 1:
            raise ValueError(f"LMDB {folder}: num-samples is {count}: the set is empty")

        def exists(record: int) -> bool:
            keys = (b"label-%09d" % record, b"image-%09d" % record)
            return any(transaction.get(key) is not None for key in keys)

        if not exists(count):
            raise ValueError(
                f"LMDB {folder}: num-samples is {count:,}, but there is no record {count:,}; the "
                f"set is incomplete: fetch or convert it again"
            )
        if exists(count + 1):
            warnings.warn(
                f"LMDB {folder}: num-samples is {count:,}, but there is a record {count + 1:,}; "
                f"the records above num-samples are not read",
                UserWarning,
                stacklevel=2,
            )
    return count
