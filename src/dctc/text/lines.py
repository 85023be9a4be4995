"""Lines and cells of text files, as editors, spreadsheets and archives write them."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import lzma
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_OPENERS: dict[str, Any] = {".xz": lzma.open, ".gz": gzip.open}
_MARK = "\ufeff"  # byte order mark


def text_lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers from 1.

    UTF-8, or UTF-16 that begins with a byte order mark, plain or compressed (``.xz``, ``.gz``).
    Lines end with LF, CRLF or CR. Byte order marks at the beginning of later lines, as joined
    files have them, are taken off, with a warning that counts them. Bytes that are not UTF-8 stand
    in the line as surrogates, which :func:`decoded` refuses.

    Raises:
        OSError: If the file cannot be opened.
        ValueError: If a compressed file is cut off, or one in UTF-16 damaged.
    """
    number = marks = 0
    try:
        with _OPENERS.get(file.suffix, open)(file, "rb") as raw:
            wide = raw.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            encoding = "utf-16" if wide else "utf-8-sig"
            with io.TextIOWrapper(raw, encoding, "surrogateescape") as stream:
                for number, line in enumerate(stream, start=1):
                    bare = line.removesuffix("\n").lstrip(_MARK)
                    marks += line.startswith(_MARK)
                    if bare.strip():
                        yield number, bare
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{file}: cut off or damaged ({error}); fetch it again") from error
    except UnicodeDecodeError as error:  # of a block of lines, so that which one is not known
        after = f"after line {number:,}" if number else "near its beginning"
        raise ValueError(f"{file}: is not UTF-16 {after} ({error.reason})") from error
    if marks:
        warnings.warn(
            f"{file}: {marks:,} lines begin with a byte order mark (U+FEFF), as joined files have "
            f"them; it is taken off",
            UserWarning,
            stacklevel=2,
        )


def decoded(line: str) -> str:
    """Return a line of :func:`text_lines`, if all of it could be decoded.

    Raises:
        ValueError: If a byte of it is not UTF-8, or it has U+0000; the message follows the name of
            file and line.
    """
    if "\0" in line:
        raise ValueError("has the character U+0000; if the file is UTF-16, save it as UTF-8")
    try:
        line.encode()
    except UnicodeEncodeError as error:
        at, byte = error.start, ord(line[error.start]) & 0xFF
        raise ValueError(
            f"is not UTF-8 (byte 0x{byte:02X} after {line[max(0, at - 20) : at]!r}); save the file "
            f"as UTF-8"
        ) from error
    return line


def cells(line: str, delimiter: str, blanks: bool = False) -> list[str]:
    """Split a line into cells; those in double quotes may hold the delimiter, and quotes doubled.

    No cell goes over several lines.

    Args:
        line: The line.
        delimiter: Between cells.
        blanks: Whether to leave out blanks after delimiters.

    Raises:
        ValueError: If a quote is not closed, or a closing one is followed by something else.
    """
    try:
        rows = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=blanks)
        return next(rows)
    except csv.Error as error:
        raise ValueError(
            f"{line[:60]!r} has a quote that is not closed, or text after a closing one ({error}); "
            f"a quote in a quoted cell is doubled"
        ) from error
