"""LightningDataModule of English scene text: LMDBs for training, real words, six benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dctc.data.benchmarks import find_benchmarks, find_sets, find_train_words, open_benchmark
from dctc.data.catalogue import BENCHMARKS, TRAIN_WORDS
from dctc.data.lmdb_sets import LmdbDataModule, TestSets, report
from dctc.data.records.folders import count_records
from dctc.data.sets import TRAIN
from dctc.data.union import UnionDataset, open_union

REAL_TRAIN_WORDS = "real_train_words"  # name of the default validation set
HELD_OUT = "held_out"  # name of that which is part of the training data

# IC13_1015 contains IC13_857, so both in one mean would count words twice; it has to be asked for.
# Both versions of IC15 stand here, because tables quote either; reports say which they average.
DEFAULT_TEST = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "IC15_1811", "SVTP", "CUTE80")


class EnglishDataModule(LmdbDataModule):
    """English word images: any LMDBs for training, the usual benchmarks for test.

    Args:
        train: LMDB folders, or folders with LMDBs below them; absolute, or relative to the data
            root; ``real_train_words`` stands for the official training words of ``val``, all of
            them. None or empty if nothing is trained.
        val: Validation sets: name to such folders, each set the union of its LMDBs. None is one
            set, ``real_train_words``: the official training words of IIIT5K, IC13, IC15 and SVT,
            as far as they are there.
        hold_out: In place of ``val``: share of each LMDB of ``train``, its last records, that is
            the validation set ``held_out``.
        test: Names of benchmarks (:data:`dctc.data.catalogue.BENCHMARKS`). None is all but
            IC13_1015. A benchmark that is not there is named and left out. ``real_train_words``
            can be named too, to put figures of validation data into the registry. Own sets have
            folders, as in ``val``: ``{mine: [test/mine]}``; in a list, an entry with a slash is a
            folder whose last part names the set: ``[SVT, test/mine]``.
        batch_size: Samples in a batch over all processes.
        width: Width of the images in pixels (w); None is 128.
        charset: ``36``, ``62``, ``94`` or a file of characters; labels outside of it are dropped.
        protocol: Rule applied to labels (:data:`dctc.text.PROTOCOLS`); None is the usual one.
        **options: Further arguments of :class:`dctc.data.lmdb_sets.LmdbDataModule`.

    Raises:
        ValueError: As :class:`dctc.data.lmdb_sets.LmdbDataModule`.
        FileNotFoundError: In :meth:`setup`, for folders that do not exist or hold no LMDB.
    """

    name_training_data = "name LMDB folders"

    def __init__(
        self,
        train: list[str] | None = None,
        val: dict[str, list[str]] | None = None,
        test: TestSets = None,
        batch_size: int = 384,  # PARSeq's configuration
        width: int | None = None,
        charset: str = "36",
        protocol: str | None = None,
        hold_out: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(batch_size, width, charset, protocol, **options)
        if hold_out is not None and (not 0 < hold_out < 1 or val is not None):
            raise ValueError(f"hold_out {hold_out}: a share between 0 and 1, and no val beside it")
        self.hold_out = hold_out
        self._choose_tests(test, (*BENCHMARKS, REAL_TRAIN_WORDS), DEFAULT_TEST)
        self.train, self.val = list(train or []), val
        if REAL_TRAIN_WORDS in self.train and val is None and hold_out is None:
            raise ValueError(
                f"train: {REAL_TRAIN_WORDS} is the usual validation set; name another one in val, "
                f"or give hold_out"
            )
        if REAL_TRAIN_WORDS in self.train and REAL_TRAIN_WORDS in self.test:
            raise ValueError(
                f"train: {REAL_TRAIN_WORDS} is named in test; never train on a test set"
            )

    def _open_train(self, root: Path) -> Any:
        return self._part(root, held_out=False) if self.train else None

    def _part(self, root: Path, held_out: bool) -> UnionDataset:
        """Open the records of the training LMDBs that are held out, or the others.

        Raises:
            FileNotFoundError: If a folder is not there.
            ValueError: If none is named, or one of the real training words has another size.
        """
        if not self.train:
            raise ValueError("hold_out: name the training data in train, of which it is a part")
        folders = [folder for folder in self.train if folder != REAL_TRAIN_WORDS]
        if REAL_TRAIN_WORDS in self.train:
            folders += self._all_train_words(root)

        def chosen(records: int) -> range:
            kept = records - max(1, round((self.hold_out or 0) * records))
            return range(kept + 1, records + 1) if held_out else range(1, kept + 1)

        options = self.options if held_out else self.train_options
        part = chosen if self.hold_out is not None else None
        return open_union(TRAIN, folders, root, refuse_tests=True, chosen=part, **options)

    def _open_val(self, root: Path) -> dict[str, Any]:
        if self.hold_out is not None:
            return {HELD_OUT: self._part(root, held_out=True)}
        sets = self._real_train_words(root) if self.val is None else self.val
        return {
            name: open_union(f"val {name}", folders, root, **self.options)
            for name, folders in sets.items()
        }

    def _open_test(self, root: Path) -> dict[str, Any]:
        present = find_benchmarks(root)
        sets: dict[str, Any] = {}
        for name in self.test:
            if name in present:
                found = present[name]
                sets[name] = open_benchmark(found, self.allow_size_mismatch, **self.options)
            elif name != REAL_TRAIN_WORDS:
                report(BENCHMARKS[name].missing_from(root, ", so it is not tested"))
        if REAL_TRAIN_WORDS in self.test:
            for name, folders in self._real_train_words(root).items():
                sets[name] = open_union(name, folders, root, **self.options)
        return sets

    def _all_train_words(self, root: Path) -> list[str]:
        """Return the folders of all official training words, of their published sizes."""
        found = find_sets(TRAIN_WORDS, root)
        for name, wanted in TRAIN_WORDS.items():
            if self.allow_size_mismatch and found:
                break
            if name not in found:
                raise FileNotFoundError(f"train: {wanted.missing_from(root)}")
            wanted.check_size(count_records(found[name].path), found[name].path)
        return [str(one.path) for one in found.values()]

    def _real_train_words(self, root: Path) -> dict[str, list[str]]:
        found = find_train_words(root)
        if not found:
            report(
                f"{REAL_TRAIN_WORDS}: none of {', '.join(TRAIN_WORDS)} found below {root}, so "
                f"nothing is scored on them; other validation sets can be named in val"
            )
            return {}
        return {REAL_TRAIN_WORDS: [str(path) for path in found]}
