"""Atomic writes and file locks, the only place of either."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Busy(OSError):
    """Another process holds a lock."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file atomically: it is there as a whole, or as it was before.

    Args:
        path: The file; its folder exists.

    Yields:
        A path beside it with the same suffix. What is written there gets the name of the file at
        the end; after an error it is removed.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write the content of a file atomically, see :func:`replacing`.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


@contextmanager
def locked(path: Path, wait: bool, busy: str = "") -> Iterator[None]:
    """Hold an exclusive lock between processes; the lock file is removed at the end.

    The lock ends with the process, however it ends. It is not inherited by processes that are
    forked (``lockf``, not ``flock``): loading workers outlive a killed parent for a while.

    Args:
        path: The lock file; its folder is created.
        wait: Wait for another process that holds the lock, or raise at once.
        busy: Message of that error.

    Raises:
        Busy: If another process holds the lock and ``wait`` is false.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("a") as stream:
            try:
                fcntl.lockf(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except (BlockingIOError, PermissionError) as error:
                raise Busy(busy or f"{path}: another process holds this lock") from error
            if not _is_at(path, stream):  # its last holder removed it while this process waited
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_at(path: Path, stream: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False
