"""Read files of predictions (tables, and FudanVI's lines), and write tables of them.

In a table, a cell that a spreadsheet would run as a formula (``=cmd|...``) is written with ``'``
before it, which is taken off on reading, and control characters are written as their pictures
(U+240A for a line feed).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from dctc.text.lines import cells, decoded, text_lines

_SEPARATOR = "] ["
_BEGINNING = re.compile(r"\d+ \[")  # of a line of the published form
_PUBLISHED = re.compile(r"(\d+) \[(.*)\]")
# As OWASP's "CSV injection" has them. Of + - @, which begin words and numbers too, only what calls
# something; with apostrophes before it, so that taking one off is the inverse of adding it.
_FORMULA = re.compile(r"'*(=.|[-+@].*[(|!])", re.DOTALL)
_PICTURES = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_CONTROLS = {picture: code for code, picture in _PICTURES.items()}


class Prediction(NamedTuple):
    """One line of a file of predictions.

    Attributes:
        key: Which sample; unique in its file.
        prediction: What was read.
        label: What it says.
    """

    key: str
    prediction: str
    label: str


def read_predictions(file: str | Path) -> Iterator[Prediction]:
    """Read a file of predictions, plain or compressed (``.xz``, ``.gz``).

    Its first line decides on the form: a table with a head that has the columns key, prediction and
    label, as ``readings/<set>.tsv`` of a run is, separated by tabs, commas or semicolons and
    quoted as by spreadsheets; or lines ``index [prediction] [label]``, as FudanVI publishes them.
    Those may hold brackets, but ``] [`` only once: more can be taken apart in several ways.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is empty or cut off; for a line that is malformed, not UTF-8, has a quote
            that is not closed or the key of an earlier one; the message names file and line.
    """
    file, seen, parse = Path(file), dict[str, int](), None
    for number, line in text_lines(file):
        try:
            line = decoded(line)
            if parse is None:
                parse = _table(line) or _published
                if parse is not _published:
                    continue
            found = parse(line)
            if found.key in seen:
                raise ValueError(
                    f"key {found.key} also occurs in line {seen[found.key]}; keep one of them"
                )
        except ValueError as error:
            raise ValueError(f"{file}:{number}: {error}") from error
        seen[found.key] = number
        yield found
    if not seen:
        raise ValueError(f"{file}: no predictions in it")


def _published(line: str) -> Prediction:
    """Return the prediction of a line of the published form."""
    matched = _PUBLISHED.fullmatch(line)
    parts = matched[2].split(_SEPARATOR) if matched else []
    if matched is None or len(parts) != 2:
        several = f", and {_SEPARATOR!r} only once" if len(parts) > 2 else ""
        shown = repr(line if len(line) <= 60 else f"{line[:57]}...")
        raise ValueError(f"{shown} is not of the form 'index [prediction] [label]'{several}")
    return Prediction(matched[1], *parts)


def _table(head: str) -> Callable[[str], Prediction] | None:
    """Return what parses the lines of a table with this head; None if it is no head."""
    delimiter = next((mark for mark in "\t;," if mark in head), "")
    if not delimiter or _BEGINNING.match(head):
        return None
    columns = cells(head, delimiter)
    if missing := [column for column in Prediction._fields if column not in columns]:
        raise ValueError(
            f"no column {missing[0]!r} among {', '.join(columns)}; a table of predictions has the "
            f"columns {', '.join(Prediction._fields)}"
        )
    places = [columns.index(column) for column in Prediction._fields]

    def parse(line: str) -> Prediction:
        row = read_row(line, delimiter)
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} columns where the head has {len(columns)}")
        return Prediction(*(row[place] for place in places))

    return parse


def read_row(line: str, delimiter: str = "\t") -> list[str]:
    """Return the cells of a line that :class:`RowWriter` wrote.

    Raises:
        ValueError: If it has a quote that is not closed.
    """
    row = (cell.translate(_CONTROLS) for cell in cells(line, delimiter))
    return [cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell for cell in row]


class RowWriter:
    """Writes rows as lines of a tab-separated table, quoted as :mod:`csv` does.

    Args:
        stream: Opened with ``newline=""``.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._writer = csv.writer(stream, delimiter="\t", lineterminator="\n")

    def writerow(self, row: Iterable[object]) -> None:
        """Write a row."""
        texts = [str(cell).translate(_PICTURES) for cell in row]
        self._writer.writerow([f"'{text}" if _FORMULA.match(text) else text for text in texts])

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write rows."""
        for row in rows:
            self.writerow(row)
