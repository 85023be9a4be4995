"""A few distinct words, of real training images where there are any."""

from __future__ import annotations

from typing import Any

import numpy as np

from dctc.data.benchmarks import TRAIN_WORDS, match
from dctc.data.records.batch import Batch, Sample, collate
from dctc.data.records.root import data_root, find_lmdbs
from dctc.data.records.sampler import Draw
from dctc.data.render.fonts import find_fonts
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.union import open_union
from dctc.training.nets import Loaded

LENGTHS = range(3, 9)  # ours: the usual words; shorter ones are too easy, longer ones need width
DRAWN = 1000  # words drawn at most to find distinct ones


def few_words(count: int, loaded: Loaded) -> tuple[Batch, str]:
    """Return words with distinct labels, the same every time, and what they are.

    Args:
        count: n.
        loaded: The net's charset and protocol, and the size of its images.

    Returns:
        The batch; "real training words" where the data root has any of the English sets of
        training words, else "rendered words".

    Raises:
        ValueError: If there are too few distinct words.
    """
    words, source = _words(loaded)
    chosen: dict[str, Sample] = {}
    for number in np.random.default_rng(0).permutation(len(words)).tolist():
        sample = words[Draw(number, number)]
        if isinstance(sample, Sample) and len(sample.label) in LENGTHS:
            chosen.setdefault(sample.label, sample)
        if len(chosen) == count:
            return collate(list(chosen.values())), source
    raise ValueError(
        f"only {len(chosen)} distinct {source} of {LENGTHS[0]} to {LENGTHS[-1]} characters, where "
        f"{count} are needed"
    )


def _words(loaded: Loaded) -> tuple[Any, str]:
    channels, height, width = loaded.image
    root = data_root()
    lmdbs = find_lmdbs(root) if root.is_dir() else {}
    found = [path for path in (match(words, lmdbs) for words in TRAIN_WORDS.values()) if path]
    if not found:
        renderer = WordRenderer(find_fonts(), height, width)
        grayscale = channels == 1
        drawn = RenderedWords("train", DRAWN, renderer, "36", loaded.protocol, grayscale=grayscale)
        return drawn, "rendered words"
    real = open_union(
        "real training words",
        [str(path) for path in found],
        root,
        refuse_tests=True,
        protocol=loaded.protocol,
        charset=loaded.tokenizer.charset,
        height=height,
        width=width,
        grayscale=channels == 1,
    )
    return real, "real training words"
