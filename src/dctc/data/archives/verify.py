"""``dctc data verify``: what is broken in the sets, and what is in them twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dctc.data.archives.lookalikes import MAX_DISTANCE, look_alikes
from dctc.data.archives.scan import Scan, scan
from dctc.data.catalogue import read_entry
from dctc.data.records.environment import open_environment
from dctc.data.records.root import PARTIAL, split_side
from dctc.results.tables import Table

NAMED = 5  # records of a set that are named for each fault


@dataclass
class Verified:
    """What was found in one set.

    Attributes:
        path: Its folder.
        known: Name of the registered set, or ``-``.
        records: Records read.
        faults: What is broken, one line each; none of a sound set.
        repeats: Records whose image is byte for byte that of an earlier record of the set.
        findings: What need not be wrong: repeated images, look-alikes of a test set, or that
            nobody looked for these.
        scan: What was read; None of a set that cannot be.
    """

    path: Path
    known: str
    records: int
    faults: list[str] = field(default_factory=list)
    repeats: int = 0
    findings: list[str] = field(default_factory=list)
    scan: Scan | None = None

    @property
    def state(self) -> str:
        """``sound``, ``broken`` or ``unfinished``."""
        if self.path.name.endswith(PARTIAL):
            return "unfinished"
        return "broken" if self.faults else "sound"


def verify(
    sets: dict[str, Path],
    workers: int = 1,
    advance: Callable[[str, int, int], None] = lambda name, done, of: None,
) -> dict[str, Verified]:
    """Read every record of some sets, and compare the training sets with the test sets.

    Args:
        sets: Name to LMDB folder.
        workers: Processes.
        advance: Told the set, how many records of it are read, and how many there are.

    Returns:
        What was found, by name of the set.
    """
    found = {}
    for name, path in sets.items():
        entry = read_entry(name, path)
        found[name] = one = Verified(path, entry.known.name if entry.known else "-", entry.records)
        if entry.fault:
            one.faults.append(entry.fault)
        if entry.records:
            done = [0]

            def step(count: int, name: str = name, done: list[int] = done) -> None:
                done[0] += count
                advance(name, done[0], found[name].records)

            one.scan = scan(path, entry.records, workers, step)
            _add_faults(one)
            _add_repeats(one)
    sides = {side: [n for n in found if split_side(Path(n)) == side] for side in ("train", "test")}
    for test in sides["test"]:
        for train in sides["train"]:
            _compare(test, train, found)
    for name, one in found.items():
        if one.scan is not None and split_side(Path(name)) is None and len(found) > 1:
            one.findings.append("compared with no other set: neither train nor test is in its path")
    return found


def _add_faults(one: Verified) -> None:
    assert one.scan is not None
    records: dict[str, list[int]] = {}
    for record, what in one.scan.faults:
        records.setdefault(what, []).append(record)
    for what, numbers in records.items():
        one.faults.append(f"{what}: {len(numbers):,} records ({_some(numbers)})")


def _add_repeats(one: Verified) -> None:
    assert one.scan is not None
    digests = one.scan.digests
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    earlier = first[inverse]
    later = np.flatnonzero((earlier != np.arange(len(digests))) & (digests != 0))
    one.repeats = len(later)
    if one.repeats:
        pairs = [f"{i + 1} = {earlier[i] + 1}" for i in later[:NAMED].tolist()]
        pairs += ["..."] * (one.repeats > NAMED)
        one.findings.append(f"{one.repeats:,} images are repeated ({', '.join(pairs)})")


def _compare(test: str, train: str, found: dict[str, Verified]) -> None:
    """Note the images of a training set that stand in a test set, or look like one there."""
    ours, theirs = found[test].scan, found[train].scan
    if ours is None or theirs is None:
        return
    same = np.isin(ours.digests[ours.digests != 0], theirs.digests)
    if same.any():
        text = f"{int(same.sum()):,} images stand in {train} too, byte for byte"
        found[test].findings.append(text)
    count, closest = look_alikes(ours.looks, theirs.looks)
    if count:
        pairs = [
            f"{pair.first} {_label(found[test].path, pair.first)!r} ~ "
            f"{pair.second} {_label(found[train].path, pair.second)!r}"
            for pair in closest
        ]
        more = ["..."] * (count > len(pairs))
        text = f"{count:,} images look like one of {train} ({', '.join(pairs + more)})"
        found[test].findings.append(text)


def _label(path: Path, record: int) -> str:
    with open_environment(path).begin() as transaction:
        return (transaction.get(b"label-%09d" % record) or b"").decode(errors="replace")


def _some(numbers: list[int]) -> str:
    return ", ".join([*map(str, numbers[:NAMED]), *["..."] * (len(numbers) > NAMED)])


def report(found: dict[str, Verified]) -> Table:
    """Return the table of what was found; broken sets first among its notes."""
    rows = [
        [name, f"{v.records:,}", v.known, v.state, f"{v.repeats:,}"] for name, v in found.items()
    ]
    notes = [
        f"{v.state.upper()} {name}: {fault.removeprefix(f'{v.state}; ')}"
        for name, v in found.items()
        for fault in v.faults
    ]
    notes += [f"{name}: {finding}" for name, v in found.items() for finding in v.findings]
    notes.append(
        "Look-alikes: difference hash of 16 x 16 bits after reduction to 17 x 16 grey pixels, at "
        f"most {MAX_DISTANCE} of 256 bits apart; each test set against each training set"
    )
    states = Counter(row[3] for row in rows)
    title = f"{len(rows)} sets: {', '.join(f'{n} {state}' for state, n in states.items())}"
    return Table(title, ["set", "records", "known as", "state", "repeated images"], rows, notes)
