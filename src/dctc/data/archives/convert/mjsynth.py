"""MJSynth (Jaderberg et al., 2014): ``annotation_train.txt`` and its neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dctc.data.archives.convert.word import Word, lines, word_file

# Lines of each annotation file of mjsynth.tar.gz, as readers of it note them; together they are the
# 8,919,273 of its annotation.txt (open-mmlab/mmocr, configs/textrecog/satrn/README.md, Syn90k).
LINES = {
    "annotation.txt": 8_919_273,
    "annotation_train.txt": 7_224_612,
    "annotation_val.txt": 802_734,
    "annotation_test.txt": 891_927,
}


def words_of_mjsynth(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words: the label of each stands in the name of its file.

    Args:
        source: ``annotation_train.txt`` or its neighbours: ``./2425/1/115_Lube_45484.jpg 45484``.
        images: Folder that the names are relative to.

    Raises:
        ValueError: If a line is not of this form.
    """
    for number, line in lines(source):
        name = line.split()[0]
        parts = PurePosixPath(name).stem.split("_")
        if len(parts) != 3:
            raise ValueError(
                f"{source}, line {number}: {line[:60]!r} names no file number_LABEL_number.jpg"
            )
        yield word_file(images, name, parts[1])


def mjsynth_lacks(source: Path) -> str:
    """Say what an annotation file lacks: it was cut off if it has not the known number of lines.

    Of a file of another name no number is known, which is warned about.

    Args:
        source: The annotation file.
    """
    expected = LINES.get(source.name)
    if expected is None:
        warnings.warn(
            f"{source}: no number of words is known for a file of this name, so that one that was "
            f"cut off is not noticed",
            UserWarning,
            stacklevel=3,
        )
        return ""
    found = sum(1 for _ in lines(source))
    return "" if found == expected else f"{source}: {found:,} words where MJSynth has {expected:,}"
