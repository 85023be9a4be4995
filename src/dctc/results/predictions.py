"""Reading files of predictions: the Chinese benchmark's published form, and tables of our own."""

from __future__ import annotations

import csv
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}
_SEPARATOR = "] ["
_PUBLISHED = re.compile(r"(\d+) \[(.*)\]", re.DOTALL)


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
    """Read a file of predictions, plain or compressed (``.xz``, ``.gz``), UTF-8.

    Its first line decides on the form: tab-separated with a head that has the columns key,
    prediction and label, as ``readings/<set>.tsv`` of a run is; or lines ``index [prediction]
    [label]``, as FudanVI publishes them. Those may hold brackets, but ``] [`` only once: more of
    them can be taken apart in several ways.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If it is empty, cut off or not UTF-8; for a line that is malformed or has
            the key of an earlier one; the message names file and line.
    """
    file, seen = Path(file), dict[str, int]()
    try:
        opened = _OPENERS.get(file.suffix, open)
        with opened(file, "rt", encoding="utf-8-sig", newline="") as stream:
            head = stream.readline()
            stream.seek(0)
            is_table = "\t" in head and not _PUBLISHED.match(head)
            for number, found in (_table if is_table else _lines)(stream, str(file)):
                if found.key in seen:
                    raise ValueError(
                        f"{file}:{number}: key {found.key} also occurs in line {seen[found.key]}; "
                        f"keep one of them"
                    )
                seen[found.key] = number
                yield found
    except (EOFError, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{file}: cut off or damaged ({error}); fetch it again") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: not UTF-8 ({error})") from error
    if not seen:
        raise ValueError(f"{file}: no predictions in it")


def _lines(stream: IO[str], name: str) -> Iterator[tuple[int, Prediction]]:
    """Yield line numbers and predictions of the published form."""
    # not splitlines(): a label may hold what that takes for a line break
    for number, line in enumerate(stream, start=1):
        line = line.rstrip("\r\n")
        matched = _PUBLISHED.fullmatch(line)
        parts = matched[2].split(_SEPARATOR) if matched else []
        if matched is None or len(parts) != 2:
            several = f", and {_SEPARATOR!r} only once" if len(parts) > 2 else ""
            shown = repr(line if len(line) <= 60 else f"{line[:57]}...")
            raise ValueError(
                f"{name}:{number}: {shown} is not of the form 'index [prediction] [label]'{several}"
            )
        yield number, Prediction(matched[1], *parts)


def _table(stream: IO[str], name: str) -> Iterator[tuple[int, Prediction]]:
    """Yield line numbers and predictions of a table."""
    rows = csv.reader(stream, delimiter="\t", strict=True)
    head = next(rows)
    if missing := [column for column in Prediction._fields if column not in head]:
        raise ValueError(
            f"{name}:1: no column {missing[0]!r} among {', '.join(head)}; a table of predictions "
            f"has the columns {', '.join(Prediction._fields)}"
        )
    places = [head.index(column) for column in Prediction._fields]
    try:
        for row in rows:
            if len(row) != len(head):
                raise ValueError(
                    f"{name}:{rows.line_num}: {len(row)} columns where the head has {len(head)}"
                )
            yield rows.line_num, Prediction(*(row[place] for place in places))
    except csv.Error as error:
        raise ValueError(f"{name}:{rows.line_num}: {error}; quote as csv.writer does") from error
