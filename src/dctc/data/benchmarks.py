"""The English benchmarks: what they are, where they lie, and whether they are complete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dctc.data.published import Benchmark, Found, match
from dctc.data.records.environment import count_records
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.root import find_lmdbs, split_side

_RELEASES = "the LMDBs released by baudm/parseq or clovaai/deep-text-recognition-benchmark"


def _registry(*benchmarks: Benchmark) -> dict[str, Benchmark]:
    return {benchmark.name: benchmark for benchmark in benchmarks}


# Sizes: arXiv 1904.01906, section 3.2. Each how_to_get names the official source, then an LMDB.
BENCHMARKS = _registry(
    Benchmark(
        "IIIT5K",
        3000,
        ("iiit5k", "iiit5k_3000"),
        f"IIIT 5K-word (CVIT, IIIT Hyderabad), or {_RELEASES}",
    ),
    Benchmark(
        "SVT", 647, ("svt", "svt_647"), f"The Street View Text Dataset (UCSD), or {_RELEASES}"
    ),
    Benchmark(
        "IC13_857",
        857,
        ("ic13_857",),
        f"derived from IC13_1015, or {_RELEASES}",
        derived_from="IC13_1015",
    ),
    Benchmark(
        "IC13_1015",
        1015,
        ("ic13_1015",),
        f"ICDAR 2013 (rrc.cvc.uab.es, challenge 2, task 3), or {_RELEASES}",
    ),
    Benchmark(
        "IC15_1811",
        1811,
        ("ic15_1811",),
        f"a hand-picked subset of IC15_2077 that cannot be derived; only in {_RELEASES}",
    ),
    Benchmark(
        "IC15_2077",
        2077,
        ("ic15_2077",),
        f"ICDAR 2015 (rrc.cvc.uab.es, challenge 4, task 3), or {_RELEASES}",
    ),
    Benchmark(
        "SVTP", 645, ("svtp", "svtp_645"), f"SVT-Perspective (from its authors), or {_RELEASES}"
    ),
    Benchmark(
        "CUTE80",
        288,
        ("cute80", "cute80_288"),
        f"CUTE80 (C. S. Chan, University of Malaya), or {_RELEASES}",
    ),
)

# The official training words of four benchmarks: the field's usual validation data.
TRAIN_WORDS = _registry(
    Benchmark("IIIT5K_2000", 2000, ("iiit5k_2000", "val/iiit5k"), "IIIT 5K-word, train"),
    Benchmark("IC13_848", 848, ("ic13_848", "val/ic13"), "ICDAR 2013, train"),
    Benchmark("IC15_4468", 4468, ("ic15_4468", "val/ic15"), "ICDAR 2015, train"),
    Benchmark("SVT_257", 257, ("svt_257", "val/svt"), "The Street View Text Dataset, train"),
)


def three_or_more(label: str) -> bool:
    """Tell whether IC13_857 holds this word of IC13_1015: its words of three or more characters."""
    return len(label) >= 3


def find_benchmarks(root: str | Path) -> tuple[dict[str, Found], list[Benchmark]]:
    """Look for the benchmarks below a data root, leaving its train and validation folders out.

    Returns:
        Those present by name, and those missing; both in the order of :data:`BENCHMARKS`.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders bear the name of one benchmark.
    """
    lmdbs = {r: p for r, p in find_lmdbs(root).items() if split_side(Path(r)) != "train"}
    paths = {name: match(benchmark, lmdbs) for name, benchmark in BENCHMARKS.items()}
    present: dict[str, Found] = {}
    for name, benchmark in BENCHMARKS.items():
        path, source = paths[name], paths.get(benchmark.derived_from or "")
        if path is not None:
            present[name] = Found(benchmark, path)
        elif source is not None:
            present[name] = Found(benchmark, source, derived=True)
    return present, [b for name, b in BENCHMARKS.items() if name not in present]


def find_train_words(root: str | Path) -> list[Path]:
    """Return the LMDB folders of :data:`TRAIN_WORDS` that lie below a data root.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders bear the name of one set.
    """
    lmdbs = find_lmdbs(root)
    return [path for path in (match(words, lmdbs) for words in TRAIN_WORDS.values()) if path]


def open_benchmark(found: Found, allow_size_mismatch: bool = False, **options: Any) -> LmdbDataset:
    """Index a benchmark, and refuse it if it is not the published set.

    Args:
        found: From :func:`find_benchmarks`.
        allow_size_mismatch: Take a set of another size all the same.
        **options: protocol, charset, height, width, grayscale and keep_ratio of
            :class:`LmdbDataset`.

    Raises:
        ValueError: If the number of records is not that of the registry.
    """
    benchmark, path, derived = found
    source = BENCHMARKS[benchmark.derived_from] if derived and benchmark.derived_from else benchmark
    sizes = [(source, count_records(path))]
    dataset = LmdbDataset(path, benchmark.name, keep=three_or_more if derived else None, **options)
    if derived:
        sizes.append((benchmark, len(dataset) + dataset.drops.total()))
    for expected, size in sizes:
        if size != expected.size and not allow_size_mismatch:
            raise ValueError(
                f"{expected.name}: {size:,} records where {expected.size:,} are expected, in "
                f"{path}; get {expected.how_to_get}, or set allow_size_mismatch to score it anyway"
            )
    return dataset


def is_test_set(folder: Path, root: Path) -> bool:
    """Tell whether a folder holds test data: by the folders above it, or by its name and size.

    A name alone does not decide below a train folder, where ``SVT`` may be the training words.

    Args:
        folder: An LMDB folder.
        root: Data root; the folders above it say nothing.
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
