"""LightningDataModule of Chinese text lines: FudanVI's four settings as LMDBs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dctc.data.archives.alphabet import characters_lacking
from dctc.data.benchmarks import find_sets, open_benchmark, published_folders
from dctc.data.catalogue import CHINESE_TEST, CHINESE_TRAIN, CHINESE_VAL, Benchmark
from dctc.data.lmdb_sets import LmdbDataModule, TestSets, check_names, report
from dctc.data.sets import TRAIN
from dctc.data.union import UnionDataset, find_parts, open_union
from dctc.text import Charset
from dctc.text.characters import shown
from dctc.text.protocol import EMPTY_LABELS_COUNT, chinese, chinese_fold

SETTINGS = tuple(CHINESE_TRAIN)


class ChineseDataModule(LmdbDataModule):
    """Lines of Chinese text: Scene, Web, Document and Handwriting.

    Labels keep what the image shows (``chinese_fold``), as in the benchmark's own code. The module
    compares them under ``protocol``, which turns traditional characters into simplified ones. A
    test label that the charset cannot write stays in the set and counts as a miss, so that
    accuracies are shares of the published number of records; their number is logged. So does a
    test label that is empty under ``protocol``, as in the benchmark's scorer. From
    training and validation such records are dropped and counted.

    Args:
        charset: A file of characters: the published charset, or one that
            :func:`dctc.data.archives.alphabet.write_alphabet` derived from the training labels.
        train: Settings (:data:`SETTINGS`) whose training sets lie below the data root, or LMDB
            folders, or folders with LMDBs below them. None or empty if nothing is trained.
        val: Settings to validate on, each a set of its own. None is those named in ``train``. One
            that is not there is named and left out.
        test: Names of test sets (:data:`dctc.data.catalogue.CHINESE_TEST`). None is all. One that
            is not there is named and left out. Own sets have folders: ``{mine: [test/mine]}``.
        batch_size: Samples in a batch over all processes.
        protocol: Rule that labels and predictions are compared under.
        **options: Further arguments of :class:`dctc.data.lmdb_sets.LmdbDataModule`; ``width`` is
            256, the benchmark's, if it is None. SVTR has 320.

    Raises:
        ValueError: As :class:`dctc.data.lmdb_sets.LmdbDataModule`.
        FileNotFoundError: In :meth:`setup`, for training data that is not there.
    """

    usual_width = 256
    name_training_data = f"name settings ({', '.join(SETTINGS)})"

    def __init__(
        self,
        charset: str,
        train: list[str] | None = None,
        val: list[str] | None = None,
        test: TestSets = None,
        batch_size: int = 512,  # the authors' released CRNN experiment
        protocol: str | None = "chinese",
        **options: Any,
    ) -> None:
        super().__init__(batch_size, charset=charset, protocol=protocol, **options)
        check_names("val", val, CHINESE_VAL)
        self._choose_tests(test, CHINESE_TEST, CHINESE_TEST)
        self.train = list(train or [])
        self.val = [one for one in self.train if one in CHINESE_VAL] if val is None else list(val)
        self.shown = chinese_fold if self.protocol is chinese else self.protocol
        self.options["protocol"] = self.shown

    def _open_train(self, root: Path) -> UnionDataset | None:
        if not self.train:
            return None
        wanted = {name: CHINESE_TRAIN[name] for name in self.train if name in SETTINGS}
        found = published_folders(wanted.values(), root, self.allow_size_mismatch)
        folders = [str(found[wanted[n].name]) if n in wanted else n for n in self.train]
        return open_union(TRAIN, folders, root, refuse_tests=True, **self.train_options)

    def _open_val(self, root: Path) -> dict[str, Any]:
        return self._open("validated", CHINESE_VAL, self.val, root)

    def _open_test(self, root: Path) -> dict[str, Any]:
        return self._open("tested", CHINESE_TEST, self.test, root)

    def _open(
        self, done: str, catalogue: Mapping[str, Benchmark], names: Sequence[str], root: Path
    ) -> dict[str, Any]:
        """Open the sets that are there, and name those that are not."""
        if not names:  # then no data root is needed either
            return {}
        found, sets = find_sets(catalogue, root, names), {}
        for name in self._present(names, catalogue, found, done, root):
            one, options = catalogue[name], self.options
            if catalogue is CHINESE_TEST:
                options = self._test_options(one.name, [found[name]])
            sets[one.name] = open_benchmark(one, found[name], self.allow_size_mismatch, **options)
        return sets

    def _open_own_test(self, name: str, folders: list[str], root: Path) -> UnionDataset:
        what = f"test {name}"
        options = self._test_options(name, list(find_parts(what, folders, root)))
        return open_union(what, folders, root, **options)

    def _test_options(self, name: str, paths: Sequence[Path]) -> dict[str, Any]:
        """Return options that drop no label: the charset has all characters of a test set."""
        counted = [characters_lacking(p, self.charset, self.protocol, self.shown) for p in paths]
        lacking = "".join(dict.fromkeys("".join(characters for characters, _ in counted)))
        if missed := sum(count for _, count in counted):
            within = set(self.charset.characters)
            beyond = shown(c for c in lacking if not within.issuperset(self.protocol(c)))
            report(
                f"{name}: labels with characters that the charset cannot write: "
                f"{missed:,} ({beyond}); they stay in the set and count as misses"
            )
        charset = Charset(self.charset.characters + lacking)
        empty = self.protocol in EMPTY_LABELS_COUNT
        return {**self.options, "charset": charset, "keep_empty": empty}
