"""ICDAR 2013 and 2015 word recognition (rrc.cvc.uab.es): ``gt.txt`` of ``word_1.png, "Label"``."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from pathlib import Path

from dctc.data.archives.convert.word import Word, lines, word_file

_LINE = re.compile(r'\s*([^,]+?)\s*,\s*"(.*)"\s*')
_ESCAPED = re.compile(r'\\(["\\])')
_ALPHANUMERIC = frozenset(string.ascii_letters + string.digits)


def words_of_icdar(source: Path, images: Path) -> Iterator[Word]:
    r"""Yield the words of a ``gt.txt``; ``\"`` and ``\\`` in a label stand for ``"`` and ``\``.

    Args:
        source: ``gt.txt``, with or without a byte order mark.
        images: Folder of the images.

    Raises:
        ValueError: If a line is not of this form.
    """
    for number, line in lines(source):
        found = _LINE.fullmatch(line)
        if not found:
            raise ValueError(f'{source}, line {number}: {line[:60]!r} is not: file, "label"')
        yield word_file(images, found[1], _ESCAPED.sub(r"\1", found[2]))


def words_of_ic13_1015(source: Path, images: Path) -> Iterator[Word]:
    """Yield those words of ICDAR 2013's 1,095 test words that are of ASCII letters and digits only.

    These are the field's 1,015 (arXiv 1904.01906, section 3.2).

    Args:
        source: ``gt.txt`` of all 1,095.
        images: Folder of the images.
    """
    return (word for word in words_of_icdar(source, images) if _ALPHANUMERIC.issuperset(word.label))
