"""Arguments and the progress bar that several verbs of ``dctc data`` share."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dctc.argument_types import positive


def add_root(parser: ArgumentParser) -> None:
    """Add ``--root``."""
    parser.add_argument("--root", help="data root")


def add_sets(parser: ArgumentParser) -> None:
    """Add ``--root`` and the LMDBs; :func:`find_sets` reads them."""
    what = "LMDB folders, or folders with LMDBs below them (default: the data root)"
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help=what)
    add_root(parser)


def add_workers(parser: ArgumentParser) -> None:
    """Add ``--workers``."""
    cores = os.cpu_count() or 1
    parser.add_argument("--workers", type=positive, default=cores, help="processes (default: all)")


def add_fonts(
    parser: ArgumentParser, default: str = "default: those that come with matplotlib"
) -> None:
    """Add ``--fonts``."""
    parser.add_argument("--fonts", help=f"folder of fonts, or system ({default})")


def find_sets(options: Any, unfinished: bool = False) -> dict[str, Path]:
    """Return the LMDBs that were asked for, named so that their side of a split shows.

    Args:
        options: From a parser with :func:`add_sets`.
        unfinished: Sets that have not been written to the end too.

    Raises:
        FileNotFoundError: If a folder does not exist or holds none.
    """
    from dctc.data.records.root import data_root, find_lmdbs

    root, sets = data_root(options.root), {}
    for top in options.paths or [root]:
        found = find_lmdbs(top, unfinished)
        if not found:
            raise FileNotFoundError(f"{top}: no LMDB (data.mdb) in it or below it")
        for path in found.values():
            whole = path.absolute()
            name = (
                whole.relative_to(root) if whole.is_relative_to(root) else Path(*whole.parts[-3:])
            )
            sets[name.as_posix()] = path
    return sets


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a bar on stderr if that is a terminal.

    Args:
        what: What is counted.
        total: How many there are, where known.

    Yields:
        ``show(done, what=..., total=...)``, which moves it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Remaining())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int, what: str | None = None, total: int | None = None) -> None:
            bar.update(task, completed=done, description=what, total=total)

        yield show
