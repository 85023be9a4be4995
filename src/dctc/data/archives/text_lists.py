"""Labelled words of archives that list them in text files: ICDAR, SVTP, CUTE80, MJSynth, tables.

Each ``words_of_...`` takes the annotation file and the folder that image names are relative to; a
``..._line`` parses one line of a form. A line that is not UTF-8 or not of its form is yielded as a
fault.
"""

from __future__ import annotations

import re
import string
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple
from unicodedata import normalize

from dctc.data.archives.label_tables import find_table
from dctc.data.records.writer import Fault
from dctc.files import path_inside
from dctc.text.characters import unseen
from dctc.text.lines import decoded, text_lines

Parse = Callable[[str], tuple[str, str]]
LINE = "line of another form"  # reason of a fault

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


def image_file(images: Path, name: str) -> Path:
    """Return the file of an image, whichever way its name is written.

    If there is none of this name, its backslashes are those of a Windows path, and its accents are
    composed or decomposed (macOS).

    Raises:
        FileNotFoundError: If that gives no file either.
        ValueError: If its name leads out of the folder, or to a pipe or device.
    """
    file, windows = path_inside(images, name), PureWindowsPath(name)
    if file.exists():
        return file
    for form in ("NFC", "NFD"):
        for written in (name, windows.as_posix()):
            if (other := path_inside(images, normalize(form, written))).exists():
                return other
    hidden = unseen(name)
    why = f"its name has {hidden}" if hidden else f"looked for in {images}"
    if windows.drive:
        why = f"{windows.drive} is a drive of Windows; make names relative to the folder of images"
    elif not windows.suffix:
        why = "if this is a head line, name its columns image and label"
    raise FileNotFoundError(why)


def word_file(images: Path, name: str, label: str, place: str = "") -> Word:
    """Return a word whose image is a whole file, kept byte for byte."""
    return Word(f"{place}{name}", label, lambda: image_file(images, name).read_bytes())


def words_of_lines(source: Path, images: Path, parse: Parse) -> Iterator[Word | Fault]:
    """Yield the word of each line, or why it has none; a line without an image is left out."""
    for number, line in text_lines(source):
        try:
            name, label = parse(decoded(line))
        except ValueError as error:
            yield Fault(f"line {number}", LINE, str(error))
            continue
        if name:
            yield word_file(images, name, label, f"line {number}, ")


def icdar_line(line: str) -> tuple[str, str]:
    r"""Parse a line of ICDAR 2013 and 2015 (rrc.cvc.uab.es): ``word_1.png, "Label"``.

    In a label of ``gt.txt``, ``\"`` and ``\\`` stand for ``"`` and ``\``.
    """
    found = _LINE.fullmatch(line)
    if not found:
        raise ValueError(f'{line[:60]!r} is not: file, "label"')
    return found[1], _ESCAPED.sub(r"\1", found[2])


def image_list_line(line: str) -> tuple[str, str]:
    """Parse a line of an ``imagelist.txt``, as SVT-Perspective and the cropped CUTE80 have it.

    It is ``file label`` or ``file label size,of,lexicon the,lexicon``; no label has spaces.
    """
    parts = line.split(maxsplit=3)
    if len(parts) not in (2, 4) or (len(parts) == 4 and not parts[2].isdigit()):
        raise ValueError(f"{line[:60]!r} is not: file label, or file label lexicon-size lexicon")
    return parts[0], parts[1]


def mjsynth_line(line: str) -> tuple[str, str]:
    """Parse a line of MJSynth (Jaderberg et al., 2014): the name of a file has its label.

    Lines of ``annotation_train.txt`` and its neighbours are ``./2425/1/115_Lube_45484.jpg 45484``.
    """
    name = line.split()[0]
    parts = PurePosixPath(name).stem.split("_")
    if len(parts) != 3:
        raise ValueError(f"{line[:60]!r} names no file number_LABEL_number.jpg")
    return name, parts[1]


def words_of_ic13_1015(source: Path, images: Path) -> Iterator[Word | Fault]:
    """Yield those words of ICDAR 2013's 1,095 test words that are of ASCII letters and digits only.

    These are the field's 1,015 (arXiv 1904.01906).
    """
    for word in words_of_lines(source, images, icdar_line):
        if isinstance(word, Fault) or _ALPHANUMERIC.issuperset(word.label):
            yield word


def words_of_table(
    source: Path, images: Path, literal_quotes: bool = False
) -> Iterator[Word | Fault]:
    """Yield the words of a table of image files and labels, see :func:`find_table`."""
    return words_of_lines(source, images, find_table(source, literal_quotes).parse)


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
    found = sum(1 for _ in text_lines(source))
    return "" if found == expected else f"{source}: {found:,} words where MJSynth has {expected:,}"
