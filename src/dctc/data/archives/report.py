"""Tables and progress bars of ``dctc data`` on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, NamedTuple

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from dctc.text.characters import printed


class Report(NamedTuple):
    """A table of text with notes below it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def print(self) -> None:
        """Print the table and the notes, as wide as the terminal.

        Columns of numbers are right-aligned; their headings wrap, the numbers do not. The columns
        of text share the rest.
        """
        console = Console()
        console.print(printed(self.title), style="italic", markup=False, highlight=False)
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for name, *cells in zip(self.columns, *self.rows, strict=True):
            numbers = all(set(cell) <= set("0123456789,./- ") for cell in cells)
            side: Literal["left", "right"] = "right" if numbers else "left"
            width = max(map(len, [*cells, *name.split()])) if numbers else None
            table.add_column(escape(name), justify=side, width=width, overflow="fold")
        for row in self.rows:
            table.add_row(*(escape(printed(cell)) for cell in row))
        console.print(table)
        console.print()
        for note in self.notes:
            console.print(printed(note), markup=False, highlight=False, style="dim")


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
