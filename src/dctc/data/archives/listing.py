"""``dctc data list``: the sets below the data root, and the benchmarks that are missing."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from dctc.data.archives.processes import ENDS, in_processes
from dctc.data.catalogue import BENCHMARKS, CHINESE_TEST, OTHERS, Benchmark
from dctc.data.records.folders import PARTIAL, count_records, find_lmdbs, split_side
from dctc.data.records.provenance import RECIPE, read_recipe
from dctc.tables import Table


class Entry(NamedTuple):
    """One LMDB folder."""

    records: int  # num-samples; 0 if it cannot be read
    known: Benchmark | None  # registered set whose name it bears
    fault: str  # why it cannot be read or is not complete, in one line; empty if all is well


def read_entries(sets: Mapping[str, Path]) -> dict[str, Entry]:
    """Count the records of LMDB folders by name, and compare them with what is known of each.

    A name is the path below the data root, which tells its side of a split.
    """
    read = in_processes(_read_entry, sets.items(), 1, lambda item: [Entry(0, None, ENDS)])
    return dict(zip(sets, read, strict=True))


def _read_entry(item: tuple[str, Path]) -> Entry:
    name, path = item
    if path.name.endswith(PARTIAL):
        return Entry(0, None, "unfinished; run its command again")
    tests = [] if split_side(Path(name)) == "train" else BENCHMARKS.values()
    known = next((one for one in (*tests, *OTHERS) if one.matches(path)), None)
    faults, records, result = list[str](), 0, None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            records = count_records(path)
        faults += [str(warning.message) for warning in caught]
        result = read_recipe(path).get("result")
    except (ValueError, OSError) as error:
        faults.append(str(error))
    written = result.get("records") if isinstance(result, dict) else None
    if records and isinstance(written, int) and written != records:
        faults.append(f"{records:,} records where its {RECIPE} has {written:,}")
    if records and known and records != known.size:
        faults.append(f"{records:,} records where {known.name} has {known.size:,}")
    here = (f"LMDB {path}: ", f"LMDB {path.resolve()}: ")
    faults = [fault.removeprefix(here[0]).removeprefix(here[1]) for fault in faults]
    return Entry(records, known, "; ".join(faults))


def list_sets(root: Path, usual: bool = False) -> tuple[Table, Table]:
    """Return the sets below the data root, and the benchmarks that are missing.

    Args:
        root: The data root.
        usual: Whether it is ``./data`` because none was named; a fresh clone does not have it.

    Raises:
        FileNotFoundError: If ``root`` is not a folder, unless it is the usual one.
    """
    absent = usual and not os.path.lexists(root)
    found = {} if absent else find_lmdbs(root, unfinished=True)
    entries = read_entries(found)
    bearers: dict[str, list[str]] = defaultdict(list)  # of the name of a registered set
    for name, entry in entries.items():
        if entry.known:
            bearers[entry.known.name].append(name)
    rows = [
        [name, f"{e.records:,}", e.known.name if e.known else "-", _state(name, e, bearers)]
        for name, e in entries.items()
    ]
    derived = {
        name: bearers[b.derived_from][0]
        for name, b in BENCHMARKS.items()
        if name not in bearers and b.derived_from in bearers
    }
    notes = [f"{name} is selected from {source}" for name, source in derived.items()]
    sets = Table(f"Sets below {root}", ["set", "records", "known as", "state"], rows, notes)
    missing = [
        [b.name, f"{b.size:,}", b.how_to_get]
        for b in (*BENCHMARKS.values(), *CHINESE_TEST.values())
        if b.name not in bearers and b.name not in derived
    ]
    notes = [f"{root} is not there yet; DCTC_DATA names another folder."] if absent else []
    return sets, Table("Missing benchmarks", ["set", "records", "where to get it"], missing, notes)


def _state(name: str, entry: Entry, bearers: Mapping[str, list[str]]) -> str:
    states = [entry.fault] if entry.fault else []
    others = [n for n in bearers[entry.known.name] if n != name] if entry.known else []
    if others:
        states.append(f"{', '.join(others)} is named so too; keep one of them")
    return "; ".join(states) or ("complete" if entry.known else "readable; no count known")
