"""Read files of predictions (tables, and FudanVI's lines), and write tables of them.

In a table, a cell that a spreadsheet would run as a formula (``=cmd|...``) is written with ``'``
before it, which is taken off on reading, and control characters are written as their pictures
(U+240A for a line feed).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dctc.files import locked, replacing
from dctc.text.lines import cells, decoded, text_lines

if TYPE_CHECKING:  # scoring a file needs no torch
    from dctc.data.records.batch import Corrupt
    from dctc.text.decode import Certainty

_SEPARATOR = "] ["
_BEGINNING = re.compile(r"\d+ \[")  # of a line of the published form
_PUBLISHED = re.compile(r"(\d+) \[(.*)\]")
# As OWASP's "CSV injection" has them. Of + - @, which begin words and numbers too, only what calls
# something; with apostrophes before it, so that taking one off is the inverse of adding it.
_FORMULA = re.compile(r"'*(=.|[-+@].*[(|!])", re.DOTALL)
_PICTURES = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_CONTROLS = {picture: code for code, picture in _PICTURES.items()}


HEAD = ("key", "prediction", "confidence", "label")  # of a file of predictions
_UNREAD = "not read: "  # in place of a confidence, before the reason
READINGS_HEAD = ("key", "label", "prediction", "confidence")  # of a file of readings


class Prediction(NamedTuple):
    """One line of a file of predictions.

    Attributes:
        key: Which sample; unique in its file.
        prediction: What was read; None if the image could not be decoded.
        label: What it says.
    """

    key: str
    prediction: str | None
    label: str


class Outcome(NamedTuple):
    """Label and prediction of one sample.

    Attributes:
        key: Key of the sample.
        label: Its label under the protocol.
        prediction: The reading under the protocol.
        confidence: Geometric mean of the probabilities of its characters.
        certainty: Log-probabilities of the reading; None where they are not known.
    """

    key: str
    label: str
    prediction: str
    confidence: float
    certainty: Certainty | None = None


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
    confidence = columns.index("confidence") if "confidence" in columns else None

    def parse(line: str) -> Prediction:
        row = read_row(line, delimiter)
        if len(row) != len(columns):
            raise ValueError(f"{len(row)} columns where the head has {len(columns)}")
        found = Prediction(*(row[place] for place in places))
        unread = confidence is not None and row[confidence].startswith(_UNREAD)
        return found._replace(prediction=None) if unread else found

    return parse


def read_row(line: str, delimiter: str = "\t") -> list[str]:
    """Return the cells of a line that :func:`writing` wrote.

    Raises:
        ValueError: If it has a quote that is not closed.
    """
    row = (cell.translate(_CONTROLS) for cell in cells(line, delimiter))
    return [cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell for cell in row]


@contextmanager
def writing(
    file: Path, head: Iterable[str], wait: bool = False
) -> Iterator[Callable[[Iterable[object]], None]]:
    """Open a tab-separated file with a head line; it gets its name when it is complete.

    Args:
        file: The file; its folder is created.
        head: The columns.
        wait: Wait for another process that is writing it.

    Yields:
        What writes a row, quoted as :mod:`csv` does.

    Raises:
        Busy: If another process is writing it, and ``wait`` is false.
        OSError: If it cannot be written.
    """
    busy = f"{file}: another process is writing this file; wait for it, or name another one"
    # file names may hold bytes that are not UTF-8
    text: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace", "newline": ""}
    with (
        locked(file.with_name(f".{file.name}.lock"), wait=wait, busy=busy),
        replacing(file) as partial,
        partial.open("w", **text) as stream,
    ):
        lines = csv.writer(stream, delimiter="\t", lineterminator="\n")

        def write(row: Iterable[object]) -> None:
            texts = [str(cell).translate(_PICTURES) for cell in row]
            lines.writerow([f"'{text}" if _FORMULA.match(text) else text for text in texts])

        write(head)
        yield write


def write_readings(file: Path, outcomes: list[Outcome]) -> None:
    """Write outcomes as tab-separated text with a head line."""
    with writing(file, READINGS_HEAD, wait=True) as write:
        for outcome in outcomes:
            write(outcome[: len(READINGS_HEAD)])


def read_readings(file: Path) -> list[Outcome]:
    """Read what :func:`write_readings` wrote."""
    rows = [read_row(line) for _, line in text_lines(file)]
    return [Outcome(key, label, text, float(p)) for key, label, text, p in rows[1:]]


def prediction_row(found: Outcome | Corrupt) -> list[str]:
    """Return a row with the columns of HEAD for a prediction or an unreadable record."""
    if isinstance(found, Outcome):
        return [found.key, found.prediction, f"{found.confidence:.4f}", found.label]
    return [found.key, "", f"{_UNREAD}{found.reason}", ""]
