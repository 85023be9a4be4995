"""Progress bar of ``dctc data`` on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from dctc.text.characters import printed


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[..., None]]:
    """Show a progress bar on stderr if that is a terminal; yields ``show(done, what=, total=)``."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    hidden = not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden) as bar:
        task = bar.add_task(what, total=total)

        def show(done: int, what: str | None = None, total: int | None = None) -> None:
            bar.update(task, completed=done, description=what and printed(what), total=total)

        yield show
