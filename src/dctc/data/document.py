"""LightningDataModule of English documents: FUNSD words and SROIE lines.

Both come in the order of their pages, so validation data is one contiguous tail of the training
set: words of one page are in the same split, but for the page that is cut. So are the folds of
cross-validation, with a gap.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

from dctc.data.benchmarks import published_folders
from dctc.data.catalogue import DOCUMENTS
from dctc.data.lmdb_sets import LmdbDataModule, TestSets
from dctc.data.records.folders import count_records
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.sets import TRAIN
from dctc.data.union import UnionDataset

TAIL = 0.1  # ours: the share of a set that each part split off from its end has
GAP = 400  # ours: records next to a fold that are left out; pages of FUNSD have 154 on average


class DocumentDataModule(LmdbDataModule):
    """English document images: FUNSD words or SROIE lines.

    FUNSD trains on the official training words but the last tenth, which is the validation set, and
    is tested on the official test words. SROIE, whose test labels are not public, is split in its
    order: the last tenth is the test set, the tenth before it the validation set.

    Args:
        source: ``funsd`` or ``sroie``.
        test: Names of the sets that a test scores: ``FUNSD`` or ``SROIE``, and the same with
            ``_val`` to put figures of validation data into the registry. None is the test set. Own
            sets have folders: ``{mine: [test/mine]}``.
        batch_size: Samples in a batch over all processes.
        num_workers: Worker processes of each loader.
        train_size: Train on so many of the training words only, the first in the order of their
            pages that have a label; the same for every seed. None is all.
        folds: Cross-validation in place of the split: of so many equal parts of all records, train
            and test together in the order of their pages, number ``seed`` modulo ``folds`` is the
            test set ``<name>_fold``. The others but :data:`GAP` records on either side of it are
            the training data, and their last tenth is the validation set ``<name>_fold_val``.
        **options: Further arguments of :class:`dctc.data.lmdb_sets.LmdbDataModule`; ``width`` is
            128 for words and 512 for lines if it is None.

    Raises:
        ValueError: As :class:`dctc.data.lmdb_sets.LmdbDataModule`, and for fewer than two folds or
            ``train_size`` beside them; in :meth:`setup`, for too few training words.
        FileNotFoundError: In :meth:`setup`, for folders that are not there.
    """

    def __init__(
        self,
        source: Literal["funsd", "sroie"] = "funsd",
        test: TestSets = None,
        batch_size: int = 32,
        num_workers: int = 1,
        train_size: int | None = None,
        folds: int | None = None,
        **options: Any,
    ) -> None:
        self.source = DOCUMENTS[source]
        self.usual_width = self.source.width
        super().__init__(batch_size, num_workers=num_workers, **options)
        if folds is not None and (folds < 2 or train_size is not None):
            raise ValueError(f"folds {folds}: two or more are needed, and no train_size with them")
        self.folds = folds
        self.test_name = f"{self.source.name}_fold" if folds else self.source.name
        self.val_name = f"{self.test_name}_val"
        self._choose_tests(test, (self.test_name, self.val_name), [self.test_name])
        if train_size is not None and train_size < 1:
            raise ValueError(f"train_size {train_size}: at least one training word is needed")
        self.train_size = train_size

    def _open_train(self, root: Path) -> Any:
        words, size = self._open(TRAIN, root), self.train_size
        if size is None:
            return words
        if size > len(words):
            raise ValueError(f"train_size {size:,}: there are {len(words):,} training words")
        only = range(1, 1 + int(words.numbers[size - 1]))
        return LmdbDataset(words.path, words.name, only=only, **self.train_options)

    def _open_val(self, root: Path) -> dict[str, Any]:
        return {self.val_name: self._open(self.val_name, root)}

    def _open_test(self, root: Path) -> dict[str, Any]:
        return {name: self.val_sets.get(name) or self._open(name, root) for name in self.test}

    def _open(self, name: str, root: Path) -> Any:
        """Open the training data, the validation set or the test set, by its name."""
        train, test = self.source.train, self.source.test
        found = published_folders(self.source.parts, root, self.allow_size_mismatch)
        if self.folds:
            return self._open_fold(name, [*found.values()], self.folds)
        if test is not None and name == self.source.name:
            return LmdbDataset(found[test.name], name, **self.options)
        path = found[train.name]
        records = count_records(path)
        tail = max(1, round(TAIL * records))
        ends = [records - tail, records] if test else [records - 2 * tail, records - tail, records]
        last = [TRAIN, self.val_name, self.test_name].index(name)
        only = range(1 + (ends[last - 1] if last else 0), 1 + ends[last])
        options = self.options if last else self.train_options
        name = name if last else f"{self.source.name}_{TRAIN}"
        return LmdbDataset(path, name, only=only, **options)

    def _open_fold(self, name: str, folders: list[Path], folds: int) -> UnionDataset:
        """Open the test fold, or training or validation data apart from it, by its name."""
        ends = [0, *accumulate(count_records(folder) for folder in folders)]
        total, fold = ends[-1], self.seed % folds
        begin, end = (total * k // folds for k in (fold, fold + 1))
        rest = [*range(max(begin - GAP, 0)), *range(min(end + GAP, total), total)]
        kept = len(rest) - max(1, round(TAIL * len(rest)))
        sets = {TRAIN: rest[:kept], self.val_name: rest[kept:], self.test_name: range(begin, end)}
        options = self.train_options if name == TRAIN else self.options
        parts = []
        for number, (folder, (first, last)) in enumerate(zip(folders, pairwise(ends), strict=True)):
            only = [1 + record - first for record in sets[name] if first <= record < last]
            if only:  # records of every folder count from 1, so keys name it too
                label = f"{self.source.name}_{TRAIN}" if name == TRAIN else name
                parts.append(LmdbDataset(folder, f"{label}/{number}", only=only, **options))
        if not parts:
            raise ValueError(f"folds {folds}: {total:,} records are too few, none is in {name}")
        return UnionDataset(parts)
