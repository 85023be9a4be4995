"""Tables: two arms side by side, to the terminal, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table as RichTable

from dctc.results.registry import Record, Registry
from dctc.results.statistics import paired_difference

_UNLIMITED = 10_000  # columns, more than any table has
_INTERVAL, _INTERVAL_BELOW = " [", "\n["  # where the interval of a cell begins


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: Heading.
        columns: Names of the columns.
        rows: Cells.
        notes: Lines below the table.
        text_columns: How many columns, from the first on, hold text and are left-aligned; the
            others are right-aligned.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    text_columns: int = 1

    def print(self, console: Console) -> None:
        """Draw the table on a terminal; two arms on a benchmark fit into 80 columns.

        Where it does not fit, intervals and the ends of long headings get lines of their own; what
        then does not fit, words and intervals whole, goes on below, beside the text columns again.
        """
        # not the table's own title, which would be as narrow as the table
        console.print(self.title, style="italic", markup=False, highlight=False)
        for part in self._parts(console):
            console.print(part)
            console.print()
        for note in self.notes:
            console.print(note, highlight=False, markup=False, style="dim")

    def _parts(self, console: Console) -> list[RichTable]:
        numbers = range(self.text_columns, len(self.columns))
        whole = self._drawn(numbers)
        if _fits(whole, console, "maximum"):
            return [whole]
        parts: list[list[int]] = [[]]
        for i in numbers:
            longer = self._drawn([*parts[-1], i], narrow=True)
            if parts[-1] and not _fits(longer, console, "minimum"):
                parts.append([])
            parts[-1].append(i)
        return [self._drawn(part, narrow=True) for part in parts]

    def _drawn(self, numbers: Sequence[int], narrow: bool = False) -> RichTable:
        """Draw the text columns and some of the others."""
        table = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=0, pad_edge=False)
        shown = [*range(self.text_columns), *numbers]
        below = _INTERVAL_BELOW if narrow else _INTERVAL
        rows = [[escape(cell).replace(_INTERVAL, below) for cell in row] for row in self.rows]
        for i in shown:
            column = self.columns[i]
            heading = "\n".join(escape(column).rsplit(" ", 1))  # numbers need less room than words
            if narrow and " " not in column:
                heading = "_\n".join(escape(column).rsplit("_", 1))
            lines = "\n".join([heading, *(row[i] for row in rows)]).split("\n")
            words = i < self.text_columns
            table.add_column(
                heading,
                justify="left" if words else "right",
                overflow="fold",
                no_wrap=not words,
                min_width=None if words else max(map(cell_len, lines)),
            )
        for row in rows:
            table.add_row(*(row[i] for i in shown))
        return table

    def markdown(self) -> str:
        """Return the table as Markdown."""
        align = ["---" if i < self.text_columns else "---:" for i in range(len(self.columns))]
        lines = [f"| {' | '.join(row)} |" for row in (self.columns, align, *self.rows)]
        # an asterisk that marks a row would begin a list
        notes = [f"\n\\{note}" if note.startswith("*") else f"\n{note}" for note in self.notes]
        return "\n".join([f"### {self.title}", "", *lines, *notes]) + "\n"

    def csv(self) -> str:
        """Return the cells as comma-separated text with a head line, without the notes."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([self.columns, *self.rows])
        return stream.getvalue()

    def write(self, folder: Path, name: str) -> list[Path]:
        """Write ``<name>.md`` and ``<name>.csv`` into a folder, and return them."""
        folder.mkdir(parents=True, exist_ok=True)
        files = [folder / f"{name}.md", folder / f"{name}.csv"]
        for file, text in zip(files, (self.markdown(), self.csv()), strict=True):
            file.write_text(text, encoding="utf-8")
        return files


def _fits(table: RichTable, console: Console, end: Literal["minimum", "maximum"]) -> bool:
    """Return whether a table fits after wrapping (minimum), or as it is (maximum)."""
    unlimited = console.options.update(max_width=_UNLIMITED)
    return bool(getattr(Measurement.get(console, unlimited, table), end) <= console.width)


def percent(part: float, whole: float) -> str:
    """Return a share in percent with two decimals, ``-`` of nothing."""
    return f"{100 * part / whole:.2f}" if whole else "-"


def side_by_side(
    title: str,
    registry: Registry,
    first: dict[str, Record],
    second: dict[str, Record],
    names: tuple[str, str],
    notes: Sequence[str] = (),
) -> Table:
    """Compare two runs on the sets that both were tested on.

    Args:
        title: Heading.
        registry: Where the hits lie.
        first: Records of the first run by set.
        second: Records of the second run by set.
        names: What the runs are called.
        notes: Lines below the table.

    Raises:
        ValueError: If the two runs were not scored on the same samples of a set.
    """
    rows = []
    for name in [name for name in first if name in second]:
        a, b = first[name], second[name]
        if (a.samples, a.protocol) != (b.samples, b.protocol):
            scored = " and ".join(f"{record.n} under {record.protocol}" for record in (a, b))
            raise ValueError(
                f"{name}: runs {a.run} and {b.run} were scored on different samples ({scored}); "
                f"test one of them again"
            )
        difference = "-"
        if a.n:
            points, half_width = paired_difference(registry.read_hits(a), registry.read_hits(b))
            difference = f"{points:+.2f} ± {half_width:.2f}"
        rows.append(
            [
                name,
                f"{a.n:,}",
                *(percent(record.correct, record.n) for record in (a, b)),
                difference,
                *(percent(record.similarity, record.n) for record in (a, b)),
                *(percent(record.edits, record.characters) for record in (a, b)),
            ]
        )
    ned, cer = ([f"{name} {what}" for name in names] for what in ("NED", "CER"))
    columns = ["set", "n", *names, "difference", *ned, *cer]
    return Table(title, columns, rows, [*notes, *drop_notes(first)])


def drop_notes(records: dict[str, Record]) -> list[str]:
    """Say what was left out of each set, and why."""
    return [
        f"{name}: {count} left out ({reason})"
        for name, record in records.items()
        for reason, count in record.drops.items()
        if count
    ]
