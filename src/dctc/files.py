"""Atomic writes, file locks, walks through folders, and names that must stay inside one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO


def walk(root: str | Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk through a folder as :func:`os.walk` does, links to folders too, each folder once.

    Links come last, so that a folder is named by its own path where it has one below ``root``. The
    order is that of the names. Of the yielded names of folders, those that are removed are not
    entered. A folder that may not be read is left out with a warning.
    """
    roots, visited = [str(root)], set()
    while roots:
        for folder, below, files in os.walk(roots.pop(0), onerror=_name_closed):
            real = os.path.realpath(folder)
            if real in visited:
                below.clear()
                continue
            visited.add(real)
            below.sort()
            yield folder, below, files
            paths = [os.path.join(folder, name) for name in below]
            roots += [path for path in paths if os.path.islink(path)]


def _name_closed(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        message = f"{error.filename}: {error.strerror}; what lies in it is left out"
        warnings.warn(message, UserWarning, stacklevel=4)


def path_inside(folder: Path, name: str) -> Path:
    """Return the path of a file that a list names; it must lie in a folder.

    Args:
        folder: The folder.
        name: Relative to the folder, or absolute and in it. Links are followed.

    Raises:
        ValueError: If the name leads out of the folder, or to a folder, pipe or device.
    """
    top, path = (Path(os.path.abspath(one)) for one in (folder, folder / name))
    if not (path.is_relative_to(top) or path.resolve().is_relative_to(top.resolve())):
        raise ValueError(f"its name leads out of {folder}, the folder of the images")
    if path.exists() and not path.is_file():
        raise ValueError("it is a folder, pipe or device")
    return path


def short_hash(content: str | bytes) -> str:
    """Return the first 16 digits of the SHA-256 of some content."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:16]


class Busy(OSError):
    """Another process holds a lock."""


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what writing alone fails with


@contextmanager
def naming(path: Path, only: Sequence[int] = ()) -> Iterator[None]:
    """Add the name of a file to an OSError that has none: a full disk does not say where it is.

    Args:
        path: The file.
        only: Numbers of the errors that are the file's; empty for all.
    """
    try:
        yield
    except OSError as error:
        of_others = bool(only) and error.errno not in only
        if error.errno is None or error.filename is not None or of_others:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def replacing(path: Path, keep: Path | None = None) -> Iterator[Path]:
    """Write a file atomically: it is there as a whole, or as it was before, also on a full disk.

    Args:
        path: The file; its folder is created. A link stays, and leads to what is written.
        keep: New name of the file or link that was there before; it is replaced otherwise. A
            process that is killed between the two steps leaves that one alone.

    Yields:
        A path beside it with the same suffix. What is written there gets the name of the file at
        the end, when it has reached the disk; after an error it is removed.

    Raises:
        OSError: If it cannot be written, or is a folder, or a device or pipe, which would be
            replaced.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path}: is no file; name one")
    if keep is None:
        path = Path(os.path.realpath(path))
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with naming(path, _FULL):  # the caller may read other files meanwhile
            yield partial
        with naming(path):
            _reach_disk(partial)
            if keep is not None and path.exists():
                path.replace(keep)
            partial.replace(path)
            _reach_disk(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _reach_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems, such as CIFS, cannot do this with a folder
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes | memoryview, keep: Path | None = None) -> None:
    """Write the content of a file atomically, see :func:`replacing`.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path, keep) as partial:
        partial.write_bytes(content)


def remove_partials(folder: Path) -> None:
    """Remove what killed writers left of :func:`replacing`, below a folder too.

    The caller keeps other writers out, with a lock.
    """
    for path in folder.rglob(".[0-9]*.*"):
        if path.is_file() and path.name[1:].partition(".")[0].isdigit():
            path.unlink(missing_ok=True)


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
                with naming(path):  # a network disk may have no locks
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
