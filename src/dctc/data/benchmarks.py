"""Find published sets below the data root, check their sizes and open them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dctc.data.catalogue import BENCHMARKS, TRAIN_WORDS, Benchmark, Source
from dctc.data.records.folders import count_records, data_root, find_lmdbs, split_side
from dctc.data.records.lmdb import LmdbDataset


class Found(NamedTuple):
    """A set below a data root."""

    benchmark: Benchmark
    path: Path  # its LMDB folder, or that of the set that it has to be selected from


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
) -> dict[str, Found]:
    """Look for sets below a data root; those that are not there are not in the answer.

    Of the sets, such as :data:`dctc.data.catalogue.CHINESE_TEST`, ``names`` chooses some.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders are named as one set.
    """
    lmdbs = find_lmdbs(root)
    if not_below_train:
        lmdbs = {name: p for name, p in lmdbs.items() if split_side(Path(name)) != "train"}

    def path_of(name: str) -> Path | None:
        return match(sets[name], lmdbs) if name in sets else None

    found = {}
    for name in sets if names is None else names:
        if path := path_of(name) or path_of(sets[name].derived_from or ""):
            found[name] = Found(sets[name], path)
    return found


def find_benchmarks(root: str | Path) -> dict[str, Found]:
    """Look for the English benchmarks, see :func:`find_sets`; train folders are left out."""
    return find_sets(BENCHMARKS, root, not_below_train=True)


def find_train_words(root: str | Path) -> list[Path]:
    """Return the LMDB folders of ``TRAIN_WORDS`` below a data root, see :func:`find_sets`."""
    return [found.path for found in find_sets(TRAIN_WORDS, root).values()]


def find_documents(source: Source, root: str | Path | None = None) -> dict[str, Path]:
    """Return the LMDB folders of a source of documents by the name of its part.

    Raises:
        FileNotFoundError: If a folder is not there; says which and where it comes from.
        ValueError: If several folders are named as one.
    """
    top = data_root(root)
    lmdbs = find_lmdbs(top) if top.is_dir() else {}
    found = {}
    for part in source.parts:
        path = match(part, lmdbs)
        if path is None:
            raise FileNotFoundError(part.missing_from(top))
        found[part.name] = path
    return found


def open_benchmark(found: Found, allow_size_mismatch: bool = False, **options: Any) -> LmdbDataset:
    """Index a set, with options of :class:`LmdbDataset`.

    Raises:
        ValueError: If the number of records is not that of the catalogue, unless that is allowed.
    """
    benchmark, path = found
    derived = not benchmark.matches(path)
    source = BENCHMARKS[benchmark.derived_from] if derived and benchmark.derived_from else benchmark
    dataset = LmdbDataset(path, benchmark.name, keep=three_or_more if derived else None, **options)
    if not allow_size_mismatch:
        source.check_size(dataset.records, path)
        if derived:
            benchmark.check_size(len(dataset) + dataset.drops.total(), path)
    return dataset


def is_test_set(folder: Path, root: Path) -> bool:
    """Tell whether an LMDB holds test data: by the folders below the root, or its name and size.

    A name alone does not decide below a train folder, where ``SVT`` may be the training words.
    """
    for path, top in ((folder.absolute(), root.absolute()), (folder.resolve(), root.resolve())):
        path = path.relative_to(top) if path.is_relative_to(top) else path
        side = split_side(path)
        if side == "test":
            return True
        named = [b for b in BENCHMARKS.values() if b.matches(path)]
        if named and (side is None or count_records(folder) in {b.size for b in named}):
            return True
    return False
