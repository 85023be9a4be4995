"""SynthText (Gupta, Vedaldi and Zisserman, CVPR 2016): ``gt.mat`` of words in whole images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dctc.data.archives.convert.mat import load_mat, text_of
from dctc.data.archives.convert.word import Crops, Word

IMAGES = 858_750  # readme.txt of SynthText (www.robots.ox.ac.uk/~vgg/data/scenetext)


def words_of_synthtext(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words, each cropped to the upright rectangle around its four corners.

    Crops are not straightened, as in the released LMDBs of clovaai and PARSeq.

    Args:
        source: ``gt.mat`` with ``imnames``, ``wordBB`` (2, 4, words) and ``txt``, whose strings
            hold several words apart by spaces and line ends.
        images: Folder that imnames are relative to.

    Raises:
        ValueError: If it is not that file, or an image has another number of boxes than of words.
    """
    arrays = load_mat(source, ["imnames", "wordBB", "txt"])
    columns = [arrays[key].ravel() for key in ("imnames", "wordBB", "txt")]
    sizes = [len(column) for column in columns]
    if len(set(sizes)) > 1:
        raise ValueError(f"{source}: {sizes} images, boxes and texts, which must be as many")
    for name_cell, corners, texts in zip(*columns, strict=True):
        name = text_of(source, name_cell)
        if not _is_array(corners, "fiu") or corners.shape[:2] != (2, 4):
            raise ValueError(f"{source}: {name} has no boxes of four corners; fetch it again")
        if not _is_array(texts, "U"):
            raise ValueError(f"{source}: {name} has no texts; fetch it again")
        labels = " ".join(map(str, texts.ravel())).split()
        corners = corners.reshape(2, 4, -1)  # of a single word MATLAB drops the last axis
        if corners.shape[2] != len(labels):
            raise ValueError(
                f"{source}: {name} has {corners.shape[2]} boxes and {len(labels)} words"
            )
        low, high = np.floor(corners.min(1)), np.ceil(corners.max(1))  # (2, words)
        crops = Crops(images / name)
        for i, label in enumerate(labels):
            box = (*low[:, i].tolist(), *high[:, i].tolist())
            yield crops.word(f"{name} word {i + 1}", label, box)


def _is_array(cell: Any, kinds: str) -> bool:
    return isinstance(cell, np.ndarray) and cell.dtype.kind in kinds


def synthtext_lacks(source: Path) -> str:
    """Say what a ``gt.mat`` lacks: it is not the archive's if it has another number of images.

    Args:
        source: The file.

    Raises:
        ValueError: If it cannot be read.
    """
    found = load_mat(source, ["imnames"])["imnames"].size
    return "" if found == IMAGES else f"{source}: {found:,} images where SynthText has {IMAGES:,}"
