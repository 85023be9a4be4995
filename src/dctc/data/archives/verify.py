"""``dctc data verify``: check every record of LMDB sets for faults, duplicates and test leaks."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import numpy as np

from dctc.data.archives.listing import read_entries
from dctc.data.archives.processes import ENDS, in_processes
from dctc.data.records.batch import extents_fault
from dctc.data.records.folders import PARTIAL, Stored, open_environment, read_record, split_side
from dctc.data.records.images import ImageError, load_image
from dctc.data.records.lmdb import MISSING, NOT_UTF8
from dctc.tables import Table
from dctc.text.characters import PRIVATE, listed, unseen

CHUNK = 2000  # records read by one process at a time
SOUND = (
    "sound: every image decodes and every label is text. What changed into another image or label, "
    "as a JPEG does by one byte, is not seen: compare the checksum of data.mdb with its source's"
)
NO_IMAGE, UNDECODED = "image missing", "image cannot be decoded"
NAMED = 5  # records of a set that are named for each fault


@dataclass
class Verified:
    """Findings in one set."""

    path: Path
    known: str  # name of the registered set, or "-"
    records: int
    faults: list[str] = field(default_factory=list)  # what is broken, one line each
    repeats: int = 0  # records whose image is byte for byte that of an earlier record of the set
    # Not necessarily faults: private-use characters, duplicates, images that also occur in a
    # training set, sets that were not checked for these
    findings: list[str] = field(default_factory=list)
    # (records,) uint64, see Scan; empty if the set cannot be read
    digests: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))

    @property
    def state(self) -> str:
        """``sound``, ``broken`` or ``unfinished``."""
        if self.path.name.endswith(PARTIAL):
            return "unfinished"
        return "broken" if self.faults else "sound"


def verify(
    sets: dict[str, Path],
    workers: int = 1,
    advance: Callable[..., None] = lambda done, what, total: None,
) -> dict[str, Verified]:
    """Read every record of some sets, and look for images of test sets in the training sets.

    Args:
        sets: Name to LMDB folder.
        workers: Processes.
        advance: Told how many records of a set are read, its name, and how many there are.
    """
    found = {}
    for name, entry in read_entries(sets).items():
        path = sets[name]
        found[name] = one = Verified(path, entry.known.name if entry.known else "-", entry.records)
        if entry.fault:
            one.faults.append(entry.fault)
        if entry.records:
            show = partial(advance, what=name, total=entry.records)
            read = scan(path, entry.records, workers, show)
            one.digests = read.digests
            _add_faults(one, read.faults)
            _add_repeats(one)
    sides = {side: [n for n in found if split_side(Path(n)) == side] for side in ("train", "test")}
    for test in sides["test"]:
        for train in sides["train"]:
            ours = found[test].digests
            same = int(np.isin(ours[ours != 0], found[train].digests).sum())
            if same:
                text = f"{same:,} images also occur in {train}, byte for byte"
                found[test].findings.append(text)
    for name, one in found.items():
        if len(one.digests) and split_side(Path(name)) is None and len(found) > 1:
            one.findings.append("compared with no other set: neither train nor test is in its path")
    return found


def _add_faults(one: Verified, faults: list[tuple[int, str]]) -> None:
    records: dict[str, list[int]] = {}
    for record, what in faults:
        records.setdefault(what, []).append(record)
    for what, numbers in records.items():
        found = one.findings if PRIVATE in what else one.faults  # published sets have such labels
        found.append(f"{what}: {len(numbers):,} records ({listed([*map(str, numbers)], NAMED)})")


def _add_repeats(one: Verified) -> None:
    digests = one.digests
    _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
    earlier = first[inverse]
    later = np.flatnonzero((earlier != np.arange(len(digests))) & (digests != 0))
    one.repeats = len(later)
    if one.repeats:
        pairs = [f"{i + 1} = {earlier[i] + 1}" for i in later.tolist()]
        one.findings.append(f"{one.repeats:,} images are repeated ({listed(pairs, NAMED)})")


def report(found: dict[str, Verified]) -> Table:
    """Return the table of findings; broken sets first among its notes."""
    rows = [
        [name, f"{v.records:,}", v.known, v.state, f"{v.repeats:,}"] for name, v in found.items()
    ]
    notes = [
        f"{v.state.upper()} {name}: {fault.removeprefix(f'{v.state}; ')}"
        for name, v in found.items()
        for fault in v.faults
    ]
    notes += [f"{name}: {finding}" for name, v in found.items() for finding in v.findings]
    states = Counter(row[3] for row in rows)
    notes += [SOUND] * ("sound" in states)
    title = f"{len(rows)} sets: {', '.join(f'{n} {state}' for state, n in states.items())}"
    return Table(title, ["set", "records", "known as", "state", "repeats"], rows, notes)


Chunk = tuple[Path, int, int]  # an LMDB folder, and its records from one up to, not with, another


class Scan(NamedTuple):
    """What was read of k records, in their order."""

    digests: np.ndarray  # (k,) uint64, a hash of the encoded image; 0 if there is none
    faults: list[tuple[int, str]]  # a record's number from 1, and what is wrong in a few words


def scan(
    path: Path, records: int, workers: int = 1, advance: Callable[[int], None] = lambda done: None
) -> Scan:
    """Read a whole set with some processes; ``advance`` is told how many records are read."""
    chunks = [(path, i, min(i + CHUNK, records + 1)) for i in range(1, records + 1, CHUNK)]
    digests, faults = [], []
    for part in in_processes(_scan_chunk, chunks, workers, _halves):
        digests.append(part.digests)
        faults += part.faults
        advance(sum(map(len, digests)))
    return Scan(np.concatenate(digests), faults)


def _halves(chunk: Chunk) -> Iterator[Scan]:
    """Find the records that end the process that reads them, by halving the chunk."""
    path, first, end = chunk
    if end - first == 1:
        yield Scan(np.zeros(1, np.uint64), [(first, ENDS)])
        return
    middle = (first + end) // 2
    yield from in_processes(_scan_chunk, [(path, first, middle), (path, middle, end)], 1, _halves)


def _read(environment: Any, record: int) -> Stored | str:
    """Return a record, or what is wrong with the page that it lies in."""
    try:
        with environment.begin() as transaction:  # one for each: an error spoils it
            return read_record(transaction, record)
    except lmdb.Error as error:
        return f"data.mdb is damaged ({type(error).__name__})"


def _scan_chunk(chunk: Chunk) -> Scan:
    """Read the records from one number up to, not including, another."""
    path, first, end = chunk
    digests = np.zeros(end - first, np.uint64)
    faults: list[tuple[int, str]] = []
    environment = open_environment(path)
    one = _read(environment, 1) if first > 1 else None  # tells whether the set has extents
    for record in range(first, end):
        stored = _read(environment, record)
        one = one or stored
        if isinstance(stored, str):
            faults.append((record, stored))
            continue
        encoded, raw, extents = stored
        if fault := label_fault(raw):
            faults.append((record, fault))
        if encoded is None:
            faults.append((record, NO_IMAGE))
            continue
        digest = hashlib.blake2b(encoded, digest_size=8).digest()
        digests[record - first] = int.from_bytes(digest, "big")
        try:
            image = load_image(encoded)
        except ImageError as error:
            faults.append((record, f"{UNDECODED} ({error.kind})"))
            continue
        drawn = isinstance(one, Stored) and one.extents is not None
        what = "extents missing" if extents is None and drawn else ""
        if extents is not None:
            characters = len((raw or b"").decode(errors="replace"))
            what = extents_fault(extents, characters, image.width)
        faults += [(record, what)] if what else []
    return Scan(digests, faults)


def label_fault(raw: bytes | None) -> str:
    """Return what is wrong with a stored label; empty if nothing is."""
    if raw is None:
        return MISSING
    try:
        label = raw.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    if not label.strip():
        return "label is empty"
    return f"label has {fault}" if (fault := unseen(label)) else ""
