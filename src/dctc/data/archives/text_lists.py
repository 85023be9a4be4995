"""Labelled words of archives that list them in text files: ICDAR, SVTP, CUTE80, MJSynth, tables.

Each ``words_of_...`` takes the annotation file and the folder that image names are relative to. It
raises ValueError where a line is not of its form or the file is not UTF-8.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_LINE = re.compile(r'\s*([^,]+?)\s*,\s*"(.*)"\s*')
_ESCAPED = re.compile(r'\\(["\\])')
_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)
# Lines of each annotation file of mjsynth.tar.gz, as readers of it note them; together they are the
# 8,919,273 of its annotation.txt (open-mmlab/mmocr, configs/textrecog/satrn/README.md, Syn90k).
MJSYNTH_LINES = {
    "annotation.txt": 8_919_273,
    "annotation_train.txt": 7_224_612,
    "annotation_val.txt": 802_734,
    "annotation_test.txt": 891_927,
}


class Word(NamedTuple):
    """One labelled word of an archive."""

    name: str  # where it stands, for messages
    label: str  # as the archive has it
    # Returns the encoded image. It raises OSError if the file cannot be read, and ValueError if
    # there is nothing to crop.
    read: Callable[[], bytes]


def word_file(images: Path, name: str, label: str) -> Word:
    """Return a word whose image is a whole file, kept byte for byte."""
    return Word(name, label, (images / name).read_bytes)


def words_of_icdar(source: Path, images: Path) -> Iterator[Word]:
    r"""Yield the words of ICDAR 2013 and 2015 (rrc.cvc.uab.es): ``word_1.png, "Label"``.

    Of the file, ``gt.txt``, a byte order mark is dropped; ``\"`` and ``\\`` in a label stand for
    ``"`` and ``\``.
    """
    for number, line in _lines(source):
        found = _LINE.fullmatch(line)
        if not found:
            raise ValueError(f'{source}, line {number}: {line[:60]!r} is not: file, "label"')
        yield word_file(images, found[1], _ESCAPED.sub(r"\1", found[2]))


def words_of_ic13_1015(source: Path, images: Path) -> Iterator[Word]:
    """Yield those words of ICDAR 2013's 1,095 test words that are of ASCII letters and digits only.

    These are the field's 1,015 (arXiv 1904.01906, section 3.2).
    """
    return (word for word in words_of_icdar(source, images) if _ALPHANUMERIC.issuperset(word.label))


def words_of_image_list(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of an ``imagelist.txt``, as SVT-Perspective and the cropped CUTE80 have it.

    Its lines are ``file label`` or ``file label size,of,lexicon the,lexicon``; no label has spaces.
    """
    for number, line in _lines(source):
        parts = line.split(maxsplit=3)
        if len(parts) not in (2, 4) or (len(parts) == 4 and not parts[2].isdigit()):
            raise ValueError(
                f"{source}, line {number}: {line[:60]!r} is not: file label, or file label "
                f"lexicon-size lexicon"
            )
        yield word_file(images, parts[0], parts[1])


def words_of_table(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of a table: on each line a file, a tab and its label, kept as it is."""
    for number, line in _lines(source):
        name, tab, label = line.partition("\t")
        if not tab or not name.strip():
            raise ValueError(f"{source}, line {number}: {line[:60]!r} is not: file, tab, label")
        yield word_file(images, name.strip(), label)


def words_of_mjsynth(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of MJSynth (Jaderberg et al., 2014): the name of a file has its label.

    Lines of ``annotation_train.txt`` and its neighbours are ``./2425/1/115_Lube_45484.jpg 45484``.
    """
    for number, line in _lines(source):
        name = line.split()[0]
        parts = PurePosixPath(name).stem.split("_")
        if len(parts) != 3:
            raise ValueError(
                f"{source}, line {number}: {line[:60]!r} names no file number_LABEL_number.jpg"
            )
        yield word_file(images, name, parts[1])


def mjsynth_lacks(source: Path) -> str:
    """Tell what an annotation file lacks: it was cut off if it has not the known number of lines.

    Of a file of another name no number is known, which is warned about.
    """
    expected = MJSYNTH_LINES.get(source.name)
    if expected is None:
        warnings.warn(
            f"{source}: no number of words is known for a file of this name, so that one that was "
            f"cut off is not noticed",
            UserWarning,
            stacklevel=3,
        )
        return ""
    found = sum(1 for _ in _lines(source))
    return "" if found == expected else f"{source}: {found:,} words where MJSynth has {expected:,}"


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1; a byte order mark is dropped.

    Raises:
        ValueError: If the file is not UTF-8.
    """
    number = 0
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as stream:
            for number, line in enumerate(stream, start=1):
                line = line.removesuffix("\n").removesuffix("\r")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is not UTF-8 after line {number} ({error.reason})") from error
