"""Tables of image files and labels: TSV, CSV, gt.txt, as spreadsheets, editors and scripts write.

The separator is a tab, comma or semicolon, whichever most lines have. Quotes are those of CSV and
have to be well-formed. Between tabs they count as such only if a cell is quoted as spreadsheets do.
A first line that names both columns is a head line; Excel's line ``sep=;`` is left out.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dctc.text.lines import cells, decoded, text_lines

# Names of columns, the preferred first; case, blanks, ``_``, ``-`` and a plural do not count
IMAGE_COLUMNS = "image imagepath imagename filename file path img key name".split()
LABEL_COLUMNS = "label text transcription transcript groundtruth gt word".split()
_NAMES = {"\t": "tab", ",": "comma", ";": "semicolon"}
_EXCEL = re.compile('"?sep=[\t,;]"?')
_QUOTED = re.compile(r'(?:^|(?<=[\t,;])) ?"((?:[^"]|"")*)"(?=[\t,;]|$)')


class LabelTable(NamedTuple):
    """The form of a table."""

    delimiter: str  # between cells
    quoted: bool  # cells may be in quotes
    blanks: bool  # every comma or semicolon is followed by blanks that are no part of a cell
    head: str = ""  # the head line; empty if there is none
    image: int = 0  # number of the column of image files, from 0
    label: int = 1  # number of the column of labels
    columns: int = 2  # of a line

    def split(self, line: str) -> list[str]:
        """Return the cells of a line.

        Raises:
            ValueError: If its quotes are not those of a spreadsheet.
        """
        if not self.quoted:
            return re.split(f"{self.delimiter} *" if self.blanks else self.delimiter, line)
        if '"' in _QUOTED.sub("", line):
            raise ValueError(
                f"{line[:60]!r} has a quote that is not closed or opens no cell, where other lines "
                f"are quoted as spreadsheets do; double it and quote the cell, or take all quotes "
                f"as they are with --literal-quotes"
            )
        return cells(_QUOTED.sub(self._quote, line), self.delimiter, self.blanks)

    def _quote(self, found: re.Match[str]) -> str:
        """Return a quoted cell without the blank before it, which is no part of it."""
        before = found.string[found.start() - 1 : found.start()]
        return found[0].lstrip(" ") if before == self.delimiter else found[0]

    def parse(self, line: str) -> tuple[str, str]:
        """Return image and label of a line; both are empty of a head line or one without text.

        Raises:
            ValueError: If it has not the columns of the table.
        """
        found = self.split(line)
        if line == self.head or _EXCEL.fullmatch(line) or not any(map(str.strip, found)):
            return "", ""
        further = found[self.columns :]  # a tab at the end is a blank, a comma may be on the image
        more = any(map(str.strip, further)) if self.delimiter == "\t" else bool(further)
        if len(found) <= max(self.image, self.label) or more or not found[self.image].strip():
            form = self.head or f"file, {_NAMES[self.delimiter]}, label"
            cure = f", quote a label with a {_NAMES[self.delimiter]} in it" if more else ""
            raise ValueError(f"{line[:60]!r} is not: {form}; {len(found)} columns{cure}")
        return found[self.image].strip(), found[self.label]


def find_table(source: Path, literal_quotes: bool = False) -> LabelTable:
    """Find out the form of a table from all of its lines.

    Args:
        source: The file, see :func:`dctc.text.lines.text_lines`.
        literal_quotes: Whether quotes are parts of labels, whatever they look like.
    """
    first, votes, quoted, blanks, doubtful = "", Counter[str](), 0, True, list[int]()
    for number, line in text_lines(source):
        if _EXCEL.fullmatch(line):
            continue
        first = first or line
        rest = _QUOTED.sub("", line)
        separator = re.search("\t", rest) or re.search("[,;]", rest)
        votes[separator[0] if separator else "\t"] += 1
        quoted += rest != line or bool(separator and separator[0] != "\t" and '"' in rest)
        blanks = blanks and re.search("[,;](?=[^ ])", rest) is None
        # a spreadsheet quotes a cell of a TSV for what is in it, or every cell
        if not line.startswith('"') and re.search(r'\t"[^",;\t]+"$', line):
            doubtful.append(number)
    delimiter = max(_NAMES, key=lambda mark: votes[mark])
    if doubtful and delimiter == "\t" and not literal_quotes:
        warnings.warn(
            f"{source}: {len(doubtful):,} labels are in quotes (line {doubtful[0]}), taken off as "
            f"those of a spreadsheet; if they are on the images, convert with --literal-quotes",
            UserWarning,
            stacklevel=3,
        )
    blanks = blanks and delimiter != "\t"
    table = LabelTable(delimiter, quoted > 0 and not literal_quotes, blanks)
    table = table._replace(columns=max(_fewest_cells(source, table, first), 2))
    try:
        head = [cell.strip().lower() for cell in table.split(decoded(first))]
    except ValueError:  # told of this line when it is read
        return table
    names = [re.sub(r"[\s_-]|s$", "", cell) for cell in head]
    image, label = (
        next((names.index(name) for name in known if name in names), None)
        for known in (IMAGE_COLUMNS, LABEL_COLUMNS)
    )
    if image is None or label is None:
        return table
    columns = max(table.columns, len(names))
    return table._replace(head=first, image=image, label=label, columns=columns)


def _fewest_cells(source: Path, table: LabelTable, first: str) -> int:
    """Return how many cells every line after the first has: spreadsheets write empty ones too."""
    fewest = None
    for _, line in text_lines(source):
        if line != first and not _EXCEL.fullmatch(line):
            with suppress(ValueError):  # told of this line when it is read
                if any(map(str.strip, found := table.split(line))):
                    fewest = min(len(found), fewest or len(found))
    return fewest or 0
