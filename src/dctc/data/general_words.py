"""Rendered words of general English, which show what a fine-tuned net forgets."""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from dctc.data.records.batch import Sample
from dctc.data.records.image_size import ImageSize, pad_right
from dctc.data.records.sampler import Draw
from dctc.data.rendered import RenderedDataModule
from dctc.text.charset import NAMED

GENERAL = 300  # words


class PaddedWords(Dataset[Sample]):
    """Rendered words, padded as the images of a net are.

    Args:
        words: Their samples.
        width: Of the padded images, in pixels.
        fill: Level of the padding; None is the mean colour of the image.
    """

    def __init__(self, words: Any, width: int, fill: int | None) -> None:
        self.words, self.width, self.fill = words, width, fill

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, draw: Draw) -> Sample:
        sample = self.words[draw]
        valid = sample.width or sample.image.shape[1]
        padded = pad_right(sample.image, self.width, self.fill)
        return sample._replace(image=padded, width=valid)


def general_words(characters: str, size: ImageSize, seed: int) -> RenderedDataModule | None:
    """Return English words, drawn in fonts that are there everywhere, as a validation set.

    Args:
        characters: Those that the net reads; without digits and letters there are no words.
        size: Of its images.
        seed: Of the words.
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
        num_workers=0,
        seed=seed,
        epoch_size=1_000,
        test_size=1,
    )
    words.setup("validate")
    (name, drawn), *_ = words.val_sets.items()
    words.val_sets = {name: PaddedWords(drawn, size.width, size.fill)}
    return words
