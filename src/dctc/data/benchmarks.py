"""Find published sets below the data root, check their sizes and open them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dctc.data.catalogue import BENCHMARKS, CHINESE_TEST, TEST_SETS, TRAIN_WORDS, Benchmark
from dctc.data.records.folders import count_records, find_lmdbs, place_of, split_side
from dctc.data.records.lmdb import LmdbDataset


def three_or_more(label: str) -> bool:
    """Tell whether IC13_857 holds this word of IC13_1015: its words of three or more characters."""
    return len(label) >= 3


def match(benchmark: Benchmark, lmdbs: Mapping[str, Path]) -> Path | None:
    """Return the one folder that is named as a set; None if there is none.

    Raises:
        ValueError: If several do.
    """
    paths = [path for path in lmdbs.values() if benchmark.matches(path)]
    if len(paths) > 1:
        raise ValueError(
            f"{benchmark.name}: both {paths[0]} and {paths[1]} are named so; keep one of them "
            f"below the data root"
        )
    return paths[0] if paths else None


def find_sets(
    sets: Mapping[str, Benchmark],
    root: str | Path,
    names: Iterable[str] | None = None,
    not_below_train: bool = False,
) -> dict[str, Path]:
    """Look for sets below a data root; those that are not there are not in the answer.

    ``names`` chooses some of ``sets``, such as :data:`dctc.data.catalogue.CHINESE_TEST`.

    Returns:
        The LMDB folder of each by its name, or that of the set that it has to be selected from.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders are named as one set.
    """
    lmdbs = find_lmdbs(root)
    if not_below_train:
        lmdbs = {name: p for name, p in lmdbs.items() if split_side(Path(name)) != "train"}
    found = {}
    for name in sets if names is None else names:
        source = sets.get(sets[name].derived_from or "")
        if path := match(sets[name], lmdbs) or (source and match(source, lmdbs)):
            found[name] = path
    return found


def find_benchmarks(root: str | Path) -> dict[str, Path]:
    """Look for the English benchmarks, see :func:`find_sets`; train folders are left out."""
    return find_sets(BENCHMARKS, root, not_below_train=True)


def find_train_words(root: str | Path) -> list[Path]:
    """Return the LMDB folders of ``TRAIN_WORDS`` below a data root, see :func:`find_sets`."""
    return list(find_sets(TRAIN_WORDS, root).values())


def published_folders(sets: Iterable[Benchmark], root: Path, any_size: bool) -> dict[str, Path]:
    """Return the LMDB folders of sets by their names; all of them have to be there.

    Raises:
        FileNotFoundError: If one is not below the root; says which and where it comes from.
        ValueError: If several folders are named as one set, or one has another number of records
            than was published, unless ``any_size`` allows that.
    """
    lmdbs = find_lmdbs(root) if root.is_dir() else {}
    found = {}
    for wanted in sets:
        path = match(wanted, lmdbs)
        if path is None:
            raise FileNotFoundError(wanted.missing_from(root))
        if not any_size:
            wanted.check_size(count_records(path), path)
        found[wanted.name] = path
    return found


def open_benchmark(
    benchmark: Benchmark, path: Path, allow_size_mismatch: bool = False, **options: Any
) -> LmdbDataset:
    """Index a set that :func:`find_sets` found, with options of :class:`LmdbDataset`.

    Raises:
        ValueError: If the number of records is not that of the catalogue, unless that is allowed.
    """
    derived = not benchmark.matches(path)
    source = BENCHMARKS[benchmark.derived_from] if derived and benchmark.derived_from else benchmark
    dataset = LmdbDataset(path, benchmark.name, keep=three_or_more if derived else None, **options)
    if not allow_size_mismatch:
        source.check_size(dataset.records, path)
        if derived:
            benchmark.check_size(len(dataset) + dataset.drops.total(), path)
    return dataset


def is_test_set(folder: Path, root: Path, named: Path | None = None) -> bool:
    """Tell whether an LMDB holds test data: by the folders around it, or its name and size.

    A name alone does not decide below a train folder, where ``SVT`` may be the training words; a
    name of the Chinese test sets does.

    Args:
        folder: The LMDB.
        root: The data root.
        named: The folder above it, or itself, that somebody named.
    """
    tops = named or folder
    for whole in (Path.absolute, Path.resolve):  # as written, and where links lead
        path = place_of(whole(folder), whole(root), whole(tops))
        side = split_side(path)
        found = [b for b in TEST_SETS if b.matches(path)]
        if side == "test" or any(b.name in CHINESE_TEST for b in found):
            return True
        if found and (side is None or count_records(folder) in {b.size for b in found}):
            return True
    return False
