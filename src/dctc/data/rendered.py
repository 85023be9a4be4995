"""LightningDataModule of rendered words: training data that needs no download."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from dctc.data.augment import Augmentation
from dctc.data.records.image_size import HEIGHT, WIDTH
from dctc.data.render.fonts import find_fonts, split_fonts
from dctc.data.render.rendered_words import RenderedWords, Stage
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import (
    CHINESE_VERSION,
    OWN_VERSION,
    RENDERER_VERSION,
    drawn_key,
    open_stored,
    render_set,
    stored_recipe,
)
from dctc.data.sets import SetsDataModule
from dctc.text import Charset

NAME = "rendered"  # of the validation set and of the test set


class RenderedDataModule(SetsDataModule):
    """Rendered words for training, validation and test.

    No training sample repeats, because numbers go on from epoch to epoch; stored words are shuffled
    in each epoch instead. The validation and the test set are made of held-out texts and stay the
    same. On several processes it needs ``Trainer(use_distributed_sampler=False)``.

    Args:
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        epoch_size: Training samples in an epoch; what does not fill a last batch is left out.
        val_size: Samples of the validation set.
        test_size: Samples of the test set.
        height: Pixels of the images; None is 32.
        width: Pixels of the images; None is 128.
        charset: Name or file, see :meth:`Charset.load`.
        protocol: Name of the protocol that makes a drawn text the label; None is that of the
            charset, see :func:`dctc.text.usual_protocol`.
        fonts: Folder of fonts; ``system`` takes those that the machine has, None those that come
            with matplotlib.
        seed: Seed of all three sets.
        num_workers: Worker processes of each loader; None takes 2, or 1 on a machine with one core.
        max_length: Most characters of a text.
        grayscale: Images of one channel instead of three.
        preset: ``easy``, ``scene`` or ``document``, see :mod:`dctc.data.render.presets`.
        language: ``en``, or ``zh`` for Chinese lines of a charset file's characters.
        words: ``python`` for the words of Python's documentation, ``wordfreq`` for those of that
            package, or a file, see :func:`dctc.data.render.corpora.word_counts`.
        top_k: Only the most frequent English words, or Chinese characters; None takes all.
        hold_out_fonts: Draw validation and test with families of fonts that training does not use;
            one in ten, and of those that draw Chinese, one.
        augment: Strength of the augmentation of training images, on top of what the preset does;
            see :class:`dctc.data.augment.Augmentation`: 0 is none, 1 usual, 2 the most.
        views: Views of each training image; 2 for losses that need two.
        stored: Folder of training words that :meth:`store` wrote, which are read faster than drawn
            ones. An epoch is all of them; the held-out words are those of their seed.

    Attributes:
        recipe_version: Version of the renderer; part of a run's key.
        language_versions: Versions of what is drawn in single languages; parts of their runs' keys.
        own_version: Version of what is drawn of words or characters of a file; part of their key.

    Raises:
        ValueError: At once, for an augmentation out of range; from :meth:`setup`, if an argument
            does not fit the others.
    """

    recipe_version = RENDERER_VERSION
    language_versions: ClassVar = {"zh": CHINESE_VERSION}
    own_version = OWN_VERSION

    def __init__(
        self,
        batch_size: int = 128,
        eval_batch_size: int | None = None,
        epoch_size: int = 40_000,
        val_size: int = 1_000,
        test_size: int = 2_000,
        height: int | None = None,
        width: int | None = None,
        charset: str = "36",
        protocol: str | None = None,
        fonts: str | None = None,
        seed: int = 0,
        num_workers: int | None = None,
        max_length: int = 12,
        grayscale: bool = False,
        preset: Literal["easy", "scene", "document"] = "easy",
        language: Literal["en", "zh"] = "en",
        words: str = "python",
        top_k: int | None = None,
        hold_out_fonts: bool = False,
        augment: float = 0.0,
        views: int = 1,
        stored: str | None = None,
    ) -> None:
        workers = min(2, os.cpu_count() or 1) if num_workers is None else num_workers
        augmentation = Augmentation(augment, views)
        super().__init__(batch_size, eval_batch_size, seed, workers, augmentation)
        self.sizes: dict[Stage, int] = {"train": epoch_size, "val": val_size, "test": test_size}
        self.image_size = HEIGHT if height is None else height, WIDTH if width is None else width
        self.fonts = fonts
        self.preset, self.hold_out_fonts = preset, hold_out_fonts
        self.stored = stored
        self.text: dict[str, Any] = {
            "charset": charset,
            "protocol": protocol,
            "max_length": max_length,
            "grayscale": grayscale,
            "language": language,
            "words": words,
            "top_k": top_k,
        }

    def drawn_from(self) -> str:
        """Return a hash of what the test set is drawn from, once it is set up."""
        (words,) = self.test_sets.values()
        return drawn_key(words)

    def setup(self, stage: str | None = None) -> None:
        """Find the fonts and make the three sets, once."""
        if self.train_set is not None:
            return
        seed = stored_recipe(self.stored)["seed"] if self.stored else self.seed
        drawn = self._draw(seed)
        train = drawn["train"]
        self.train_set = open_stored(self.stored, train) if self.stored else train
        self.val_sets, self.test_sets = {NAME: drawn["val"]}, {NAME: drawn["test"]}

    def _draw(self, seed: int) -> dict[Stage, RenderedWords]:
        fonts = find_fonts(self.fonts)
        train = rest = WordRenderer(fonts, *self.image_size, self.preset)
        if self.hold_out_fonts:
            chinese = self.text["language"] == "zh"
            charset = Charset.load(self.text["charset"]).characters if chinese else None
            train, rest = (
                WordRenderer(split_fonts(fonts, held_out, charset), *self.image_size, self.preset)
                for held_out in (False, True)
            )
        return {
            split: RenderedWords(
                split, size, train if split == "train" else rest, seed=seed, **self.text
            )
            for split, size in self.sizes.items()
        }

    def store(
        self, folder: Path, workers: int = 1, advance: Callable[[int], None] = lambda taken: None
    ) -> None:
        """Write ``epoch_size`` training words to an LMDB, see :func:`render_set`."""
        render_set(self._draw(self.seed)["train"], folder, workers, advance)
