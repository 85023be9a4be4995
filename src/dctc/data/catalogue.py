"""``dctc data list``: what lies below the data root, and what is missing from it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

from dctc.data.benchmarks import BENCHMARKS, TRAIN_WORDS, Benchmark, find_benchmarks
from dctc.data.chinese_sets import TEST_SETS, TRAIN_SETS, VAL_SETS, find_sets
from dctc.data.environment import count_records
from dctc.data.root import find_lmdbs, split_side
from dctc.reporting.tables import Table


class Entry(NamedTuple):
    """One LMDB folder.

    Attributes:
        path: The folder.
        records: ``num-samples``; 0 if it cannot be read.
        known: Registered set whose name it bears.
        fault: Why it cannot be read or is not complete, in one line; empty if all is well.
    """

    path: Path
    records: int
    known: Benchmark | None
    fault: str


def read_entry(path: Path) -> Entry:
    """Count the records of an LMDB folder, and compare them with the registered set of its name."""
    known = known_as(path)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            records = count_records(path)
    except (ValueError, OSError) as error:
        return Entry(path, 0, known, str(error).removeprefix(f"LMDB {path.resolve()}: "))
    if caught:
        return Entry(path, records, known, str(caught[0].message).removeprefix(f"LMDB {path}: "))
    if known and records != known.size:
        fault = f"{records:,} records where {known.name} has {known.size:,}"
        return Entry(path, records, known, fault)
    return Entry(path, records, known, "")


def known_as(path: Path) -> Benchmark | None:
    """Return the registered set whose name a folder bears, a test set only outside of train."""
    tests = [] if split_side(path) == "train" else [BENCHMARKS]
    registries = [*tests, TRAIN_WORDS, TEST_SETS, TRAIN_SETS, VAL_SETS]
    named = [b for registry in registries for b in registry.values() if b.matches(path)]
    return named[0] if named else None


def list_sets(root: Path) -> tuple[Table, Table]:
    """Return the sets below the data root, and the benchmarks that are missing.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders bear the name of one benchmark.
    """
    entries = {name: read_entry(path) for name, path in find_lmdbs(root).items()}
    rows = [
        [name, f"{e.records:,}", e.known.name if e.known else "-", e.fault or "complete"]
        if e.known or e.fault
        else [name, f"{e.records:,}", "-", "readable"]
        for name, e in entries.items()
    ]
    present, missing = find_benchmarks(root)
    derived = [f"{name} is selected from {f.path}" for name, f in present.items() if f.derived]
    sets = Table(f"Sets below {root}", ["set", "records", "known as", "state"], rows, derived)
    chinese = find_sets(TEST_SETS, TEST_SETS, root)
    missing += [b for name, b in TEST_SETS.items() if name not in chinese]
    absent = [[b.name, f"{b.size:,}", b.how_to_get] for b in missing]
    return sets, Table("Missing benchmarks", ["set", "records", "where to get it"], absent)
