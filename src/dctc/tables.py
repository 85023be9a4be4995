"""Tables of text: printed on a terminal, written as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from dctc.files import write_whole
from dctc.text.characters import printed

_GAP = 2  # spaces between columns on a terminal


@dataclass(frozen=True)
class Table:
    """A table of text cells.

    Attributes:
        title: Heading.
        columns: Names of the columns.
        rows: Cells.
        notes: Lines below the table.
        text_columns: Number of columns, from the first on, that name a row; they are left-aligned.
            The others are right-aligned, unless a cell on the terminal begins with a letter.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    text_columns: int = 1

    def print(self, console: Console | None = None) -> None:
        """Print the table; None takes a console of its own.

        Where the terminal is narrow, cells wrap between words. Columns for which there is no room
        then follow below, beside the text columns again.
        """
        console = console or Console()
        # not the table's own title, which would be as narrow as the table
        console.print(printed(self.title), style="italic", markup=False, highlight=False)
        heads, *rows = [[*map(printed, row)] for row in (self.columns, *self.rows)]
        columns = [*zip(heads, *rows, strict=True)]
        words = [
            max((cell_len(w) for c in column for w in c.split()), default=0) for column in columns
        ]
        least = [min(width, console.width // 2) for width in words]
        parts = [[*range(self.text_columns)]]
        for i in range(self.text_columns, len(columns)):
            if _GAP * len(parts[-1]) + sum(least[j] for j in (*parts[-1], i)) > console.width:
                parts.append([*range(self.text_columns)])
            parts[-1].append(i)
        for part in parts:
            widths = {i: max(map(cell_len, columns[i])) for i in part}
            whole = {i: max(least[i], *map(cell_len, columns[i][1:]), 0) for i in part}
            for floor in (whole, least):  # headings wrap before cells do
                while sum(widths.values()) + _GAP * (len(part) - 1) > console.width:
                    wide = [i for i in part if widths[i] > floor[i]]
                    if not wide:
                        break
                    widths[max(wide, key=widths.__getitem__)] -= 1
            table = RichTable(
                box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
            )
            for i in part:
                is_text = i < self.text_columns or any(
                    cell[:1].isalpha() for cell in columns[i][1:]
                )
                justify: Any = "left" if is_text else "right"
                head = escape(heads[i])
                table.add_column(head, justify=justify, width=widths[i], overflow="fold")
            for row in rows:
                table.add_row(*(escape(row[i]) for i in part))
            console.print(table)
        for note in self.notes:
            console.print(printed(note), highlight=False, markup=False, style="dim")

    def markdown(self) -> str:
        """Return the table as Markdown."""
        align = ["---" if i < self.text_columns else "---:" for i in range(len(self.columns))]
        cells = [[cell.replace("|", r"\|") for cell in row] for row in (self.columns, *self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in (cells[0], align, *cells[1:])]
        return "\n".join([f"### {self.title}", "", *lines, *(f"\n{n}" for n in self.notes)]) + "\n"

    def csv(self) -> str:
        """Return the cells as comma-separated text with a head line, without the notes."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.columns, *self.rows])
        return text.getvalue()

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write ``<name>.md`` and ``<name>.csv`` into a folder, and return them."""
        files = [folder / f"{name}.md", folder / f"{name}.csv"]
        for file, text in zip(files, (self.markdown(), self.csv()), strict=True):
            write_whole(file, text.encode())
        return files


def percent(part: float, whole: float) -> str:
    """Return a share in percent with two decimals, ``-`` of nothing."""
    return f"{100 * part / whole:.2f}" if whole else "-"
