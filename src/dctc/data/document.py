"""The LightningDataModule of English documents: words of forms (FUNSD), lines of receipts (SROIE).

Both come in the order of their pages, so validation data is one contiguous tail of the training
set: words of one page never stand on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from dctc.data.augment import Augmentation
from dctc.data.batch import Batch
from dctc.data.document_sets import SOURCES, check_size, find_documents
from dctc.data.environment import count_records
from dctc.data.lmdb import LmdbDataset
from dctc.data.loaders import eval_loader, train_loader
from dctc.data.sampler import StepDataLoader
from dctc.text import Charset, get_protocol

TRAIN = "train"  # name of the training data in DocumentDataModule.drops
TAIL = 0.1  # ours: the share of a set that each part split off from its end has


class DocumentDataModule(pl.LightningDataModule):
    """English document images: FUNSD words or SROIE lines.

    FUNSD trains on the official training words but the last tenth, which is the validation set, and
    is tested on the official test words. SROIE, whose test labels are not public, is split in its
    order: the last tenth is the test set, the tenth before it the validation set. With several
    processes, the Trainer needs ``use_distributed_sampler=False``.

    Args:
        source: ``funsd`` or ``sroie``.
        test: Names of the sets that a test scores: ``FUNSD`` or ``SROIE``, and the same with
            ``_val`` to put figures of validation data into the registry. None is the test set.
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        height: Height of the images in pixels (h).
        width: Width of the images in pixels (w); None is 128 for words and 512 for lines.
        grayscale: One channel instead of three.
        charset: ``36``, ``62``, ``94`` or a file of characters; labels outside of it are dropped.
        protocol: Rule applied to labels (:data:`dctc.text.PROTOCOLS`).
        data_root: Folder of all data; None is the environment variable ``DCTC_DATA``, or ``data``.
        seed: Seed of the order of training samples and of their augmentation.
        num_workers: Worker processes of each loader.
        allow_size_mismatch: Take folders that have not the known number of records.
        keep_ratio: Keep the aspect ratio of images; they are padded to the width, or squashed into
            it.
        augment: Strength of the augmentation of training images, see
            :class:`dctc.data.augment.Augmentation`: 0 is none, 1 usual, 2 the most.
        views: Views of each training image; 2 for losses that need two.
        train_size: Train on so many of the training words only, the first in the order of their
            pages that have a label; the same for every seed. None is all.

    Attributes:
        val_names: Name of the validation set.
        test_names: Names of the sets that a test scores, in the order of the loaders.

    Raises:
        ValueError: At once, for a charset, protocol or set that does not exist, or an augmentation
            out of range; in :meth:`setup`, for folders of the wrong size or too few training words.
        FileNotFoundError: In :meth:`setup`, for folders that are not there.
    """

    def __init__(
        self,
        source: Literal["funsd", "sroie"] = "funsd",
        test: list[str] | None = None,
        batch_size: int = 32,
        eval_batch_size: int | None = None,
        height: int = 32,
        width: int | None = None,
        grayscale: bool = False,
        charset: str = "36",
        protocol: str = "english36",
        data_root: str | None = None,
        seed: int = 0,
        num_workers: int = 1,
        allow_size_mismatch: bool = False,
        keep_ratio: bool = False,
        augment: float = 0.0,
        views: int = 1,
        train_size: int | None = None,
    ) -> None:
        super().__init__()
        self.source = SOURCES[source]
        name, self.val_name = self.source.name, f"{self.source.name}_val"
        self.val_names, self.test_names = [self.val_name], [name] if test is None else list(test)
        for wanted in self.test_names:
            if wanted not in (name, self.val_name):
                raise ValueError(f"test: {wanted!r} is not one of {name}, {self.val_name}")
        self.root, self.seed, self.num_workers = data_root, seed, num_workers
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.allow_size_mismatch = allow_size_mismatch
        self.augmentation = Augmentation(augment, views)
        if train_size is not None and train_size < 1:
            raise ValueError(f"train_size {train_size}: at least one training word is needed")
        self.train_size = train_size
        self.options: dict[str, Any] = {
            "protocol": get_protocol(protocol),
            "charset": Charset.load(charset),
            "height": height,
            "width": width or self.source.width,
            "grayscale": grayscale,
            "keep_ratio": keep_ratio,
        }
        self._sets: dict[str, LmdbDataset] = {}

    def drops(self, name: str) -> dict[str, int]:
        """Return how many records of a set were dropped when it was indexed, by reason.

        Args:
            name: ``train``, or one of :attr:`val_names` and :attr:`test_names`.

        Raises:
            ValueError: If no such set has been set up.
        """
        if name not in self._sets:
            raise ValueError(f"drops({name!r}): not set up; there are {[*self._sets]}")
        return dict(self._sets[name].drops)

    def setup(self, stage: str | None = None) -> None:
        """Find and index the sets of a stage, as Lightning names it; None is all."""
        of_stage = {
            "fit": [TRAIN, self.val_name],
            "validate": [self.val_name],
            "test": self.test_names,
            "predict": self.test_names,
        }
        wanted = of_stage[stage] if stage else [TRAIN, self.val_name, *self.test_names]
        missing = [name for name in wanted if name not in self._sets]
        if missing:
            found = find_documents(self.source, self.root)
            if not self.allow_size_mismatch:
                check_size(self.source, found)
            for name in missing:
                self._sets[name] = self._open(name, found)
            if self.train_size is not None and TRAIN in missing:
                self._sets[TRAIN] = self._first(self._sets[TRAIN], self.train_size)

    def _open(self, name: str, found: Mapping[str, Path]) -> LmdbDataset:
        train, test = self.source.train, self.source.test
        if test is not None and name == self.source.name:
            return LmdbDataset(found[test.name], name, **self.options)
        path = found[train.name]
        records = count_records(path)
        tail = max(1, round(TAIL * records))
        ends = [records - tail, records] if test else [records - 2 * tail, records - tail, records]
        parts = [TRAIN, self.val_name, self.source.name]
        last = parts.index(name)
        only = range(1 + (ends[last - 1] if last else 0), 1 + ends[last])
        return LmdbDataset(
            path, f"{self.source.name}_{TRAIN}" if not last else name, only=only, **self.options
        )

    def _first(self, words: LmdbDataset, size: int) -> LmdbDataset:
        if size > len(words):
            raise ValueError(f"train_size {size:,}: there are {len(words):,} training words")
        only = range(1, 1 + int(words.numbers[size - 1]))
        return LmdbDataset(words.path, words.name, only=only, **self.options)

    def train_dataloader(self) -> StepDataLoader:
        """Return the training batches.

        Raises:
            ValueError: As :func:`train_loader` does.
        """
        return train_loader(
            self._sets[TRAIN],
            self.batch_size,
            self.seed,
            self.num_workers,
            self.trainer,
            self.augmentation,
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loader of the validation set."""
        return self._eval_loaders(self.val_names)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Return one loader for each of :attr:`test_names`."""
        return self._eval_loaders(self.test_names)

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loaders of the test sets."""
        return self.test_dataloader()

    def _eval_loaders(self, names: list[str]) -> list[DataLoader[Batch]]:
        return [
            eval_loader(self._sets[name], self.eval_batch_size, self.num_workers, self.trainer)
            for name in names
        ]
