"""Rendered words of general English, which show what a fine-tuned net forgets."""

from __future__ import annotations

from functools import partial
from typing import Any

from dctc.data.augment import AugmentedDataset
from dctc.data.records.batch import Sample
from dctc.data.records.image_size import ImageSize, pad_right
from dctc.data.rendered import RenderedDataModule
from dctc.text.charset import NAMED

GENERAL = 300  # words


def general_words(
    characters: str, size: ImageSize, seed: int, batch_size: int
) -> RenderedDataModule | None:
    """Return English words, drawn in fonts that are there everywhere, as a validation set.

    Args:
        characters: Those that the net reads; without digits and letters there are no words.
        size: Of its images.
        seed: Of the words.
        batch_size: Words read at a time.
    """
    known = (name for name, text in NAMED.items() if set(text) <= set(characters))
    charset = max(known, key=int, default=None)
    if charset is None:
        return None
    width = min(4 * size.height, size.width)
    words = RenderedDataModule(
        val_size=GENERAL,
        height=size.height,
        width=width if size.keep_ratio else size.width,
        grayscale=size.grayscale,
        charset=charset,
        protocol="verbatim",
        preset="scene",
        batch_size=batch_size,
        num_workers=0,
        seed=seed,
    )
    words.setup("validate")
    (name, drawn), *_ = words.val_sets.items()
    words.val_sets = {name: AugmentedDataset(drawn, partial(_padded, size=size), seed)}
    return words


def _padded(sample: Sample, _: Any, size: ImageSize) -> Sample:
    image = pad_right(sample.image, size.width, size.fill)
    return sample._replace(image=image, width=sample.image.shape[1])
