"""SynthText (Gupta, Vedaldi and Zisserman, CVPR 2016): ``gt.mat`` of words in whole images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dctc.data.convert.mat import load_mat
from dctc.data.convert.word import Crops, Word


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
    columns = (arrays[key].ravel() for key in ("imnames", "wordBB", "txt"))
    for name_cell, corners, texts in zip(*columns, strict=True):
        name = str(name_cell.item())
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
