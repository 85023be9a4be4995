"""Rendered words as a data set: the training data that needs no download."""

from __future__ import annotations

import os
import string
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset

from dctc.data.batch import Batch, Sample
from dctc.data.fonts import find_fonts
from dctc.data.loaders import eval_loader, train_loader
from dctc.data.render import LUMINANCE, WordRenderer
from dctc.data.sampler import Draw, StepDataLoader
from dctc.data.words import WordSource
from dctc.text.charset import Charset
from dctc.text.protocol import Protocol, get_protocol

Stage = Literal["train", "val", "test"]

NAME = "rendered"  # of the validation set and of the test set
STREAM: dict[Stage, int] = {"train": 0, "val": 1, "test": 2}  # keeps the sets' generators apart
STRIDE = 4  # pixels per frame of the recognisers of scene text; labels fit into width / STRIDE


class RenderedWords(Dataset[Sample]):
    """Words drawn on demand; sample ``number`` is a pure function of (seed, split, number).

    Args:
        split: ``train`` draws from the training words, ``val`` and ``test`` from the held-out ones.
        size: Length of the set; numbers beyond it can be drawn too.
        renderer: Draws the words.
        charset: Name or file, see :meth:`Charset.load`. Words are drawn with those characters that
            the protocol maps to one of the charset's; white space is not drawn.
        protocol: Name of the protocol that makes the drawn text the label.
        seed: Seed of everything.
        max_length: Characters of a text at most.
        grayscale: Images ``(h, w, 1)`` instead of ``(h, w, 3)``.

    Raises:
        ValueError: If an argument is unknown, or no font has all the characters to draw.
    """

    def __init__(
        self,
        split: Stage,
        size: int,
        renderer: WordRenderer,
        charset: str = "36",
        protocol: str = "english36",
        seed: int = 0,
        max_length: int = 12,
        grayscale: bool = False,
    ) -> None:
        if split not in STREAM:
            raise ValueError(f"split={split!r}: it is one of {', '.join(STREAM)}")
        self.split, self.size, self.renderer, self.seed = split, size, renderer, seed
        self.protocol, self.grayscale = get_protocol(protocol), grayscale
        characters = _drawable(Charset.load(charset), self.protocol)
        if not characters:
            raise ValueError(
                f"charset {charset!r}: protocol {protocol!r} maps no character to one of its; "
                f"choose a charset and a protocol that go together"
            )
        renderer.fonts_for(characters)  # so that no text fails in the middle of a run
        self.words = WordSource(
            "train" if split == "train" else "heldout",
            characters,
            max_length,
            max_frames=renderer.width // STRIDE,
        )

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, draw: Draw) -> Sample:
        rng = np.random.default_rng([self.seed, STREAM[self.split], draw.number])
        text = self.words.draw(rng)
        image, extents = self.renderer.render(text, rng)
        if self.grayscale:
            image = np.rint(image @ LUMINANCE).astype(np.uint8)[..., None]
        label, kept = label_extents(text, extents, self.protocol)
        return Sample(image, label, f"rendered/{self.seed}/{self.split}/{draw.number}", kept)


def label_extents(
    text: str, extents: np.ndarray, protocol: Protocol
) -> tuple[str, np.ndarray | None]:
    """Return the label of a drawn text, and the extents of the label's characters.

    Args:
        text: s characters, as drawn.
        extents: ``(s, 2)`` limits of these.
        protocol: Makes the label.

    Returns:
        The label, and the extents of the characters that the protocol keeps; None in their place
        where the protocol does not work character by character.
    """
    label, pieces = protocol(text), [protocol(c) for c in text]
    if "".join(pieces) != label or any(len(piece) > 1 for piece in pieces):
        return label, None
    return label, extents[[bool(piece) for piece in pieces]]


def _drawable(charset: Charset, protocol: Protocol) -> str:
    """Return the characters that the protocol maps to one character of the charset each."""
    candidates = sorted({*string.printable, *charset.characters})
    return "".join(c for c in candidates if not c.isspace() and protocol(c) in charset)


class RenderedDataModule(pl.LightningDataModule):
    """Rendered words for training, validation and test.

    No training sample repeats: their numbers go on from epoch to epoch. The validation and the test
    set are made of held-out words and stay the same. On several processes it needs
    ``Trainer(use_distributed_sampler=False)``.

    Args:
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        epoch_size: Training samples in an epoch; what does not fill a last batch is left out.
        val_size: Samples of the validation set.
        test_size: Samples of the test set.
        height: Pixels of the images.
        width: Pixels of the images.
        charset: Name or file, see :meth:`Charset.load`.
        protocol: Name of the protocol that makes a drawn text the label.
        fonts: Folder of fonts; None takes those that come with matplotlib.
        seed: Seed of all three sets.
        num_workers: Worker processes of each loader; None takes 2, or 1 on a machine with one core.
        max_length: Characters of a text at most.
        grayscale: Images of one channel instead of three.

    Attributes:
        val_names: Names of the validation sets, in the order of the loaders.
        test_names: Names of the test sets, in the order of the loaders.

    Raises:
        ValueError: From :meth:`setup`, if an argument does not fit the others.
    """

    def __init__(
        self,
        batch_size: int = 128,
        eval_batch_size: int | None = None,
        epoch_size: int = 40_000,
        val_size: int = 1_000,
        test_size: int = 2_000,
        height: int = 32,
        width: int = 128,
        charset: str = "36",
        protocol: str = "english36",
        fonts: str | None = None,
        seed: int = 0,
        num_workers: int | None = None,
        max_length: int = 12,
        grayscale: bool = False,
    ) -> None:
        super().__init__()
        self.val_names, self.test_names = [NAME], [NAME]
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.sizes: dict[Stage, int] = {"train": epoch_size, "val": val_size, "test": test_size}
        self.image_size, self.fonts, self.seed = (height, width), fonts, seed
        self.num_workers = min(2, os.cpu_count() or 1) if num_workers is None else num_workers
        self.text: dict[str, Any] = {
            "charset": charset,
            "protocol": protocol,
            "max_length": max_length,
            "grayscale": grayscale,
        }
        self.sets: dict[Stage, RenderedWords] = {}

    def drops(self, name: str) -> dict[str, int]:
        """Return how many records of a set were dropped, by reason: of drawn words none is.

        Args:
            name: ``train`` or ``rendered``.

        Raises:
            ValueError: If there is no such set.
        """
        if name not in ("train", NAME):
            raise ValueError(f"drops({name!r}): no such set; there are ['train', {NAME!r}]")
        return {}

    def setup(self, stage: str | None = None) -> None:
        """Find the fonts and make the three sets, once."""
        if not self.sets:
            renderer = WordRenderer(find_fonts(self.fonts), *self.image_size)
            self.sets = {
                split: RenderedWords(split, size, renderer, seed=self.seed, **self.text)
                for split, size in self.sizes.items()
            }

    def train_dataloader(self) -> StepDataLoader:
        """Return the training batches, the same for any number of workers.

        Raises:
            ValueError: As :func:`train_loader` does.
        """
        return train_loader(
            self.sets["train"], self.batch_size, self.seed, self.num_workers, self.trainer
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loader of the validation set, in a list as :attr:`val_names` is one."""
        return [self._eval_loader("val")]

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loader of the test set, in a list as :attr:`test_names` is one."""
        return [self._eval_loader("test")]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loader of the test set."""
        return self.test_dataloader()

    def _eval_loader(self, split: Stage) -> DataLoader[Batch]:
        return eval_loader(self.sets[split], self.eval_batch_size, self.num_workers, self.trainer)
