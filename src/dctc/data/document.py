"""LightningDataModule of English documents: FUNSD words and SROIE lines.

Both come in the order of their pages, so validation data is one contiguous tail of the training
set: words of one page are in the same split, but for the page that is cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dctc.data.benchmarks import find_documents
from dctc.data.catalogue import DOCUMENTS
from dctc.data.lmdb_sets import LmdbDataModule, check_names
from dctc.data.records.folders import count_records
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.sets import TRAIN

TAIL = 0.1  # ours: the share of a set that each part split off from its end has


class DocumentDataModule(LmdbDataModule):
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
        width: Width of the images in pixels (w); None is 128 for words and 512 for lines.
        charset: ``36``, ``62``, ``94`` or a file of characters; labels outside of it are dropped.
        protocol: Rule applied to labels (:data:`dctc.text.PROTOCOLS`).
        num_workers: Worker processes of each loader.
        train_size: Train on so many of the training words only, the first in the order of their
            pages that have a label; the same for every seed. None is all.
        **options: Further arguments of :class:`dctc.data.lmdb_sets.LmdbDataModule`.

    Raises:
        ValueError: As :class:`dctc.data.lmdb_sets.LmdbDataModule`; in :meth:`setup`, for too few
            training words.
        FileNotFoundError: In :meth:`setup`, for folders that are not there.
    """

    def __init__(
        self,
        source: Literal["funsd", "sroie"] = "funsd",
        test: list[str] | None = None,
        batch_size: int = 32,
        width: int | None = None,
        charset: str = "36",
        protocol: str = "english36",
        num_workers: int = 1,
        train_size: int | None = None,
        **options: Any,
    ) -> None:
        self.source = DOCUMENTS[source]
        width = width or self.source.width
        super().__init__(batch_size, width, charset, protocol, num_workers=num_workers, **options)
        self.val_name = f"{self.source.name}_val"
        check_names("test", test, (self.source.name, self.val_name))
        self.test = [self.source.name] if test is None else list(test)
        if train_size is not None and train_size < 1:
            raise ValueError(f"train_size {train_size}: at least one training word is needed")
        self.train_size = train_size

    def _open_train(self, root: Path) -> LmdbDataset:
        words, size = self._open(TRAIN, root), self.train_size
        if size is None:
            return words
        if size > len(words):
            raise ValueError(f"train_size {size:,}: there are {len(words):,} training words")
        only = range(1, 1 + int(words.numbers[size - 1]))
        return LmdbDataset(words.path, words.name, only=only, **self.options)

    def _open_val(self, root: Path) -> dict[str, Any]:
        return {self.val_name: self._open(self.val_name, root)}

    def _open_test(self, root: Path) -> dict[str, Any]:
        return {name: self.val_sets.get(name) or self._open(name, root) for name in self.test}

    def _open(self, name: str, root: Path) -> LmdbDataset:
        """Open the training data, the validation set or the test set, by its name."""
        train, test = self.source.train, self.source.test
        found = find_documents(self.source, root)
        if not self.allow_size_mismatch:
            for part in self.source.parts:
                part.check_size(count_records(found[part.name]), found[part.name])
        if test is not None and name == self.source.name:
            return LmdbDataset(found[test.name], name, **self.options)
        path = found[train.name]
        records = count_records(path)
        tail = max(1, round(TAIL * records))
        ends = [records - tail, records] if test else [records - 2 * tail, records - tail, records]
        last = [TRAIN, self.val_name, self.source.name].index(name)
        only = range(1 + (ends[last - 1] if last else 0), 1 + ends[last])
        name = name if last else f"{self.source.name}_{TRAIN}"
        return LmdbDataset(path, name, only=only, **self.options)
