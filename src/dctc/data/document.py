"""The LightningDataModule of English documents: words of forms (FUNSD), lines of receipts (SROIE).

Both come in the order of their pages, so validation data is one contiguous tail of the training
set: words of one page stand on the same side, but for the page that is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from dctc.data.augment import Augmentation
from dctc.data.document_sets import SOURCES, check_size, find_documents
from dctc.data.records.environment import count_records
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.sets import TRAIN, SetsDataModule
from dctc.text import Charset, get_protocol

TAIL = 0.1  # ours: the share of a set that each part split off from its end has


class DocumentDataModule(SetsDataModule):
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
        augmentation = Augmentation(augment, views)
        super().__init__(batch_size, eval_batch_size, seed, num_workers, augmentation)
        self.source = SOURCES[source]
        name, self.val_name = self.source.name, f"{self.source.name}_val"
        self.test = [name] if test is None else list(test)
        for wanted in self.test:
            if wanted not in (name, self.val_name):
                raise ValueError(f"test: {wanted!r} is not one of {name}, {self.val_name}")
        self.root, self.allow_size_mismatch = data_root, allow_size_mismatch
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

    def setup(self, stage: str | None = None) -> None:
        """Find and index the sets of a stage, as Lightning names it; None is all."""
        test = stage in ("test", "predict", None)
        validate = stage in ("fit", "validate", None) or (test and self.val_name in self.test)
        found = find_documents(self.source, self.root)
        if not self.allow_size_mismatch:
            check_size(self.source, found)
        if stage in ("fit", None) and self.train_set is None:
            words = self._open(TRAIN, found)
            size = self.train_size
            self.train_set = words if size is None else self._first(words, size)
        if validate and not self.val_sets:
            self.val_sets = {self.val_name: self._open(self.val_name, found)}
        if test and not self.test_sets:
            self.test_sets = {
                name: self.val_sets.get(name) or self._open(name, found) for name in self.test
            }

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
