"""LightningDataModule of English scene text: LMDBs for training, real words, six benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dctc.data.benchmarks import (
    find_benchmarks,
    find_train_words,
    open_benchmark,
    published_folders,
)
from dctc.data.catalogue import BENCHMARKS, TRAIN_WORDS
from dctc.data.lmdb_sets import LmdbDataModule, TestSets, report
from dctc.data.records.folders import count_records
from dctc.data.sets import TRAIN
from dctc.data.union import UnionDataset

REAL_TRAIN_WORDS = "real_train_words"  # name of the default validation set
HELD_OUT = "held_out"  # name of that which is part of the training data

# IC13_1015 contains IC13_857, so both in one mean would count words twice; it has to be asked for.
# Both versions of IC15 stand here, because tables quote either; reports say which they average.
DEFAULT_TEST = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "IC15_1811", "SVTP", "CUTE80")


def held_out_of(records: int, share: float) -> int:
    """Return how many records of an LMDB a share of it holds out: at least one."""
    return max(1, round(share * records))


class EnglishDataModule(LmdbDataModule):
    """English word images: any LMDBs for training, the usual benchmarks for test.

    Args:
        train: LMDB folders, or folders with LMDBs below them; absolute, or relative to the data
            root. ``real_train_words`` stands for the four folders of the official training words
            of IIIT5K, IC13, IC15 and SVT, all of them complete, among the folders of ``val`` and
            ``test`` too. None or empty if nothing is trained.
        val: Validation sets: name to such folders, each set the union of its LMDBs. None is one
            set, named ``real_train_words``, of those of the four folders that are there.
        hold_out: In place of ``val``: share of each LMDB of ``train``, its last records, that is
            the validation set ``held_out``.
        test: Names of benchmarks (:data:`dctc.data.catalogue.BENCHMARKS`). None is all but
            IC13_1015. A benchmark that is not there is named and left out. ``real_train_words``
            can be named too, to put figures of validation data into the registry. Own sets have
            folders, as in ``val``: ``{mine: [test/mine]}``; in a list, an entry with a slash is a
            folder whose last part names the set: ``[SVT, test/mine]``.
        batch_size: Samples in a batch over all processes.
        **options: Further arguments of :class:`dctc.data.lmdb_sets.LmdbDataModule`.

    Raises:
        ValueError: As :class:`dctc.data.lmdb_sets.LmdbDataModule`; in :meth:`setup`, if
            ``hold_out`` leaves no record of an LMDB to train on.
        FileNotFoundError: In :meth:`setup`, for folders that do not exist or hold no LMDB.
    """

    name_training_data = "name LMDB folders"

    def __init__(
        self,
        train: list[str] | None = None,
        val: dict[str, list[str]] | None = None,
        test: TestSets = None,
        batch_size: int = 384,  # PARSeq's configuration
        hold_out: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(batch_size, **options)
        if hold_out is not None and (not 0 < hold_out < 1 or val is not None):
            raise ValueError(f"hold_out {hold_out}: a share between 0 and 1, and no val beside it")
        if val and TRAIN in val:
            raise ValueError(f"val: {TRAIN} is the name of the training data; rename yours")
        self.hold_out = hold_out
        self._choose_tests(test, (*BENCHMARKS, REAL_TRAIN_WORDS), DEFAULT_TEST)
        self.train, self.val = list(train or []), val
        usual = [] if hold_out is not None else [[REAL_TRAIN_WORDS]]
        validated = usual if val is None else val.values()
        if REAL_TRAIN_WORDS in self.train and any(REAL_TRAIN_WORDS in one for one in validated):
            usually = ", the usual one" if val is None else ""
            raise ValueError(
                f"train: {REAL_TRAIN_WORDS} is a validation set too{usually}; name others in val, "
                f"or give hold_out"
            )
        if REAL_TRAIN_WORDS in self.train and REAL_TRAIN_WORDS in self.test:
            raise ValueError(
                f"train: {REAL_TRAIN_WORDS} is named in test; never train on a test set"
            )

    def _open_train(self, root: Path) -> Any:
        return self._part(root, held_out=False) if self.train else None

    def _part(self, root: Path, held_out: bool) -> UnionDataset:
        """Open the records of the training LMDBs that are held out, or the others."""
        if not self.train:
            raise ValueError("hold_out: name the training data in train, of which it is a part")
        share = self.hold_out

        def chosen(path: Path) -> range:
            records = count_records(path)
            kept = records - held_out_of(records, share or 0)
            if kept < 1:
                raise ValueError(
                    f"hold_out {share}: nothing is left to train on of {path}, which has "
                    f"{records:,} records; name validation data in val, or add records"
                )
            return range(kept + 1, records + 1) if held_out else range(1, kept + 1)

        options = self.options if held_out else self.train_options
        part = None if share is None else chosen
        return self._union(TRAIN, self.train, root, refuse_tests=True, chosen=part, **options)

    def _open_val(self, root: Path) -> dict[str, Any]:
        if self.hold_out is not None:
            return {HELD_OUT: self._part(root, held_out=True)}
        if self.val is None:
            return self._words_there(root)
        return {name: self._union(f"val {name}", one, root) for name, one in self.val.items()}

    def _open_test(self, root: Path) -> dict[str, Any]:
        names = [name for name in self.test if name != REAL_TRAIN_WORDS]
        found = find_benchmarks(root) if names else {}  # own folders may lie elsewhere
        sets: dict[str, Any] = {
            name: open_benchmark(
                BENCHMARKS[name], found[name], self.allow_size_mismatch, **self.options
            )
            for name in self._present(names, BENCHMARKS, found, "tested", root)
        }
        return sets | (self._words_there(root) if REAL_TRAIN_WORDS in self.test else {})

    def _folders(self, names: Sequence[str], root: Path) -> list[str]:
        """Return folders, with those of all official training words in place of their name."""
        folders = [name for name in names if name != REAL_TRAIN_WORDS]
        if REAL_TRAIN_WORDS in names:
            any_size = self.allow_size_mismatch
            there = find_train_words(root) if any_size else []
            words = there or published_folders(TRAIN_WORDS.values(), root, any_size).values()
            folders += map(str, words)
        return folders

    def _words_there(self, root: Path) -> dict[str, Any]:
        """Open the official training words that are there, as one set; no set if none are."""
        found = find_train_words(root)
        if not found:
            report(
                f"{REAL_TRAIN_WORDS}: none of {', '.join(TRAIN_WORDS)} found below {root}, so "
                f"nothing is scored on them; other validation sets can be named in val"
            )
            return {}
        return {REAL_TRAIN_WORDS: self._union(REAL_TRAIN_WORDS, [*map(str, found)], root)}
