"""Text files of image names and labels: SVTP, CUTE80, and tables of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dctc.data.archives.convert.word import Word, lines, word_file


def words_of_image_list(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of an ``imagelist.txt``, as SVT-Perspective and the cropped CUTE80 have it.

    Its lines are ``file label`` or ``file label size,of,lexicon the,lexicon``; no label has spaces.

    Args:
        source: The list.
        images: Folder that the names are relative to.

    Raises:
        ValueError: If a line is not of this form.
    """
    for number, line in lines(source):
        parts = line.split(maxsplit=3)
        if len(parts) not in (2, 4) or (len(parts) == 4 and not parts[2].isdigit()):
            raise ValueError(
                f"{source}, line {number}: {line[:60]!r} is not: file label, or file label "
                f"lexicon-size lexicon"
            )
        yield word_file(images, parts[0], parts[1])


def words_of_table(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of a table: on each line a file, a tab and its label, which is kept as it is.

    Args:
        source: The table.
        images: Folder that the names are relative to.

    Raises:
        ValueError: If a line has no tab or no name.
    """
    for number, line in lines(source):
        name, tab, label = line.partition("\t")
        if not tab or not name.strip():
            raise ValueError(f"{source}, line {number}: {line[:60]!r} is not: file, tab, label")
        yield word_file(images, name.strip(), label)
