"""The Chinese LightningDataModule: FudanVI's four settings as LMDBs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from dctc.data.archives.alphabet import characters_lacking
from dctc.data.augment import Augmentation
from dctc.data.benchmarks import open_benchmark
from dctc.data.chinese_sets import TEST_SETS, TRAIN_SETS, VAL_SETS, find_sets, training_folders
from dctc.data.published import Benchmark, Found
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.root import data_root as find_data_root
from dctc.data.sets import TRAIN, SetsDataModule
from dctc.data.union import UnionDataset, open_union
from dctc.text import Charset, get_protocol

SETTINGS = tuple(TRAIN_SETS)

_report = rank_zero_only(logging.getLogger(__name__).warning)


class ChineseDataModule(SetsDataModule):
    """Lines of Chinese text: Scene, Web, Document and Handwriting.

    Labels keep what the image shows (``chinese_fold``), as in the benchmark's own code. The module
    compares them under ``protocol``, which turns traditional characters into simplified ones. A
    test label that the charset cannot write stays in the set and counts as a miss, so that
    accuracies are shares of the published number of records; how many there are is said. From
    training and validation such records are dropped and counted.

    With several processes, the Trainer needs ``use_distributed_sampler=False``.

    Args:
        train: Settings (:data:`SETTINGS`) whose training sets lie below the data root, or LMDB
            folders, or folders with LMDBs below them. None or empty if nothing is trained.
        val: Settings to validate on, each a set of its own. None is those named in ``train``. One
            that is not there is named and left out.
        test: Names of test sets (:data:`dctc.data.chinese_sets.TEST_SETS`). None is all. One that
            is not there is named and left out.
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        height: Height of the images in pixels (h).
        width: Width of the images in pixels (w): 256 in the benchmark, 320 in SVTR.
        grayscale: One channel instead of three.
        charset: A file of characters: the published alphabet, or one that
            :func:`dctc.data.archives.alphabet.write_alphabet` derived from the training labels.
        protocol: Rule that labels and predictions are compared under.
        data_root: Folder of all data; None is the environment variable ``DCTC_DATA``, or ``data``.
        seed: Seed of the order of training samples and of their augmentation.
        num_workers: Worker processes of each loader.
        allow_size_mismatch: Take a set even if it has not the published number of records.
        keep_ratio: Keep the aspect ratio of images; they are padded to the width, or squashed into
            it.
        augment: Strength of the augmentation of training images, see
            :class:`dctc.data.augment.Augmentation`: 0 is none, 1 usual, 2 the most.
        views: Views of each training image; 2 for losses that need two.

    Raises:
        ValueError: At once, for a charset, protocol or set that does not exist, or an augmentation
            out of range; in :meth:`setup`, for a test set among the training data, a set listed
            twice, a set of the wrong size, or no test set at all.
        FileNotFoundError: In :meth:`setup`, for training data that is not there.
    """

    name_training_data = f"name settings ({', '.join(SETTINGS)})"

    def __init__(
        self,
        charset: str,
        train: list[str] | None = None,
        val: list[str] | None = None,
        test: list[str] | None = None,
        batch_size: int = 512,  # the authors' released CRNN experiment
        eval_batch_size: int | None = None,
        height: int = 32,
        width: int = 256,
        grayscale: bool = False,
        protocol: str = "chinese",
        data_root: str | None = None,
        seed: int = 0,
        num_workers: int = 2,
        allow_size_mismatch: bool = False,
        keep_ratio: bool = False,
        augment: float = 0.0,
        views: int = 1,
    ) -> None:
        augmentation = Augmentation(augment, views)
        super().__init__(batch_size, eval_batch_size, seed, num_workers, augmentation)
        for what, names, registry in (("val", val, VAL_SETS), ("test", test, TEST_SETS)):
            unknown = [name for name in names or () if name not in registry]
            if unknown:
                raise ValueError(f"{what}: {unknown[0]!r} is not one of {', '.join(registry)}")
        self.train = list(train or [])
        self.val = [name for name in self.train if name in VAL_SETS] if val is None else list(val)
        self.test = list(TEST_SETS if test is None else test)
        self.root, self.allow_size_mismatch = data_root, allow_size_mismatch
        self.charset, self.protocol = Charset.load(charset), get_protocol(protocol)
        self.shown = get_protocol("chinese_fold" if protocol == "chinese" else protocol)
        self.options: dict[str, Any] = {
            "height": height,
            "width": width,
            "grayscale": grayscale,
            "keep_ratio": keep_ratio,
        }

    def setup(self, stage: str | None = None) -> None:
        """Find and index the sets of a stage, as Lightning names it; None is all."""
        root = find_data_root(self.root)
        if stage in ("fit", None) and self.train and self.train_set is None:
            self.train_set = self._open_train(root)
        if stage in ("fit", "validate", None) and not self.val_sets:
            found = self._find("validated", VAL_SETS, self.val, root)
            self.val_sets = {f.benchmark.name: self._open(f, self.charset) for f in found}
        if stage in ("test", "predict", None) and not self.test_sets:
            found = self._find("tested", TEST_SETS, self.test, root)
            if not found:
                raise ValueError(f"test: none of {', '.join(self.test)} found below {root}")
            self.test_sets = {f.benchmark.name: self._open_test(f) for f in found}

    def _find(
        self, done: str, registry: Mapping[str, Benchmark], names: list[str], root: Path
    ) -> list[Found]:
        present = find_sets(registry, names, root)
        for name in names:
            if name not in present:
                wanted = registry[name]
                _report(
                    f"{wanted.name}: not found below {root}, so it is not {done}; get it: "
                    f"{wanted.how_to_get}"
                )
        return list(present.values())

    def _open_train(self, root: Path) -> UnionDataset:
        union = open_union(
            TRAIN,
            training_folders(self.train, root, self.allow_size_mismatch),
            root,
            refuse_tests=True,
            protocol=self.shown,
            charset=self.charset,
            **self.options,
        )
        for part in union.parts:
            if any(wanted.matches(part.path) for wanted in TEST_SETS.values()):
                raise ValueError(f"train: {part.path} is a test set; never train on one")
        return union

    def _open(self, found: Found, charset: Charset) -> LmdbDataset:
        return open_benchmark(
            found,
            self.allow_size_mismatch,
            protocol=self.shown,
            charset=charset,
            **self.options,
        )

    def _open_test(self, found: Found) -> LmdbDataset:
        lacking, missed = characters_lacking(found.path, self.charset, self.protocol, self.shown)
        if missed:
            _report(
                f"{found.benchmark.name}: labels with characters that the charset cannot write: "
                f"{missed:,}; they stay in the set and count as misses"
            )
        return self._open(found, Charset(self.charset.characters + lacking))
