"""The English LightningDataModule: LMDB training sets, real validation words, six benchmarks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from dctc.data.augment import Augmentation
from dctc.data.benchmarks import (
    BENCHMARKS,
    TRAIN_WORDS,
    find_benchmarks,
    find_train_words,
    open_benchmark,
)
from dctc.data.records.root import data_root as find_data_root
from dctc.data.sets import TRAIN, SetsDataModule
from dctc.data.union import open_union
from dctc.text import Charset, get_protocol

REAL_TRAIN_WORDS = "real_train_words"  # name of the default validation set

# IC13_1015 contains IC13_857, so both in one mean would count words twice; it has to be asked for.
# Both versions of IC15 stand here, because tables quote either; reports say which they average.
DEFAULT_TEST = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "IC15_1811", "SVTP", "CUTE80")

_report = rank_zero_only(logging.getLogger(__name__).warning)


class EnglishDataModule(SetsDataModule):
    """English word images: any LMDBs for training, the usual benchmarks for test.

    With several processes, the Trainer needs ``use_distributed_sampler=False``.

    Args:
        train: LMDB folders, or folders with LMDBs below them; absolute, or relative to the data
            root. None or empty if nothing is trained.
        val: Validation sets: name to such folders, each set the union of its LMDBs. None is one
            set, ``real_train_words``: the official training words of IIIT5K, IC13, IC15 and SVT,
            as far as they are there.
        test: Names of benchmarks (:data:`dctc.data.benchmarks.BENCHMARKS`). None is all but
            IC13_1015. A benchmark that is not there is named and left out. ``real_train_words``
            can be named too, to put figures of validation data into the registry.
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        height: Height of the images in pixels (h).
        width: Width of the images in pixels (w).
        grayscale: One channel instead of three.
        charset: ``36``, ``62``, ``94`` or a file of characters; labels outside of it are dropped.
        protocol: Rule applied to labels (:data:`dctc.text.PROTOCOLS`).
        data_root: Folder of all data; None is the environment variable ``DCTC_DATA``, or ``data``.
        seed: Seed of the order of training samples and of their augmentation.
        num_workers: Worker processes of each loader.
        allow_size_mismatch: Score a benchmark even if it has not the published number of records.
        keep_ratio: Keep the aspect ratio of images; they are padded to the width, or squashed into
            it.
        augment: Strength of the augmentation of training images, see
            :class:`dctc.data.augment.Augmentation`: 0 is none, 1 usual, 2 the most.
        views: Views of each training image; 2 for losses that need two.

    Raises:
        ValueError: At once, for a charset, protocol or benchmark that does not exist, or an
            augmentation out of range; in :meth:`setup`, for a test set among the training data, a
            set listed twice, a benchmark of the wrong size, or no benchmark at all.
        FileNotFoundError: In :meth:`setup`, for folders that do not exist or hold no LMDB.
    """

    name_training_data = "name LMDB folders"

    def __init__(
        self,
        train: list[str] | None = None,
        val: dict[str, list[str]] | None = None,
        test: list[str] | None = None,
        batch_size: int = 384,  # PARSeq's configuration
        eval_batch_size: int | None = None,
        height: int = 32,
        width: int = 128,
        grayscale: bool = False,
        charset: str = "36",
        protocol: str = "english36",
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
        known = (*BENCHMARKS, REAL_TRAIN_WORDS)
        unknown = [name for name in test or () if name not in known]
        if unknown:
            raise ValueError(f"test: {unknown[0]!r} is not one of {', '.join(known)}")
        self.train, self.val = list(train or []), val
        self.test = list(DEFAULT_TEST if test is None else test)
        self.root, self.allow_size_mismatch = data_root, allow_size_mismatch
        self.options: dict[str, Any] = {
            "protocol": get_protocol(protocol),
            "charset": Charset.load(charset),
            "height": height,
            "width": width,
            "grayscale": grayscale,
            "keep_ratio": keep_ratio,
        }

    def setup(self, stage: str | None = None) -> None:
        """Find and index the sets of a stage, as Lightning names it; None is all."""
        root = find_data_root(self.root)
        if stage in ("fit", None) and self.train and self.train_set is None:
            self.train_set = open_union(TRAIN, self.train, root, refuse_tests=True, **self.options)
        if stage in ("fit", "validate", None) and not self.val_sets:
            self.val_sets = {
                name: open_union(f"val {name}", folders, root, **self.options)
                for name, folders in self._val_folders(root).items()
            }
        if stage in ("test", "predict", None) and not self.test_sets:
            self._setup_test(root)

    def _setup_test(self, root: Path) -> None:
        present, _ = find_benchmarks(root)
        for name in self.test:
            if name not in present and name != REAL_TRAIN_WORDS:
                _report(
                    f"{name}: not found below {root}, so it is not tested; get it: "
                    f"{BENCHMARKS[name].how_to_get}"
                )
        self.test_sets = {
            name: open_benchmark(present[name], self.allow_size_mismatch, **self.options)
            for name in self.test
            if name in present
        }
        if REAL_TRAIN_WORDS in self.test:
            for name, folders in self._real_train_words(root).items():
                self.test_sets[name] = open_union(name, folders, root, **self.options)
        if not self.test_sets:
            raise ValueError(f"test: none of {', '.join(self.test)} found below {root}")

    def _val_folders(self, root: Path) -> Mapping[str, Sequence[str]]:
        return self._real_train_words(root) if self.val is None else self.val

    def _real_train_words(self, root: Path) -> Mapping[str, Sequence[str]]:
        found = find_train_words(root)
        if not found:
            _report(
                f"{REAL_TRAIN_WORDS}: none of {', '.join(TRAIN_WORDS)} found below {root}, so "
                f"they read nothing; other validation sets can be named in val"
            )
            return {}
        return {REAL_TRAIN_WORDS: [str(path) for path in found]}
