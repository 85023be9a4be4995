"""IIIT 5K-word (Mishra, Alahari and Jawahar, BMVC 2012): ``testdata.mat`` and ``traindata.mat``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dctc.data.archives.convert.mat import load_mat, text_of
from dctc.data.archives.convert.word import Word, word_file


def words_of_iiit5k(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of a ``.mat`` file: a struct array of ImgName, GroundTruth and lexicons.

    Args:
        source: ``testdata.mat`` or ``traindata.mat``; the array bears the name of the file.
        images: Folder that ImgName is relative to.

    Raises:
        ValueError: If it is not that file.
    """
    entries = load_mat(source, [source.stem])[source.stem]
    fields = entries.dtype.names or ()
    for field in ("ImgName", "GroundTruth"):
        if field not in fields:
            raise ValueError(f"{source}: {source.stem} has no field {field}, only {list(fields)}")
    for entry in entries.ravel():
        name, label = (text_of(source, entry[field]) for field in ("ImgName", "GroundTruth"))
        yield word_file(images, name, label)
