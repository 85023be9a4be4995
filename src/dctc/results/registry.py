"""The registry: one JSON line per (run, benchmark), and each sample's hit or miss beside it.

A record holds counts, never rates. ``hits`` names a file with one bit per scored sample, in the
order of the set, so that two arms can be compared sample by sample.
"""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dctc.files import locked, naming, short_hash, write_whole

EDIT_PARTS = "edit_parts"  # key in Record.about: substitutions, deletions and insertions
CERTAINTY = "certainty"  # key in Record.about, and folder: how sure each reading is
_SUFFIXES = {"hits": "bits", CERTAINTY: "f16z"}  # of files of these folders
_TIME = "%Y-%m-%dT%H:%M:%SZ"
OTHER_WEIGHTS = "+"  # in the key of a result of weights other than the final checkpoint


@dataclass(frozen=True)
class Record:
    """The result of one run on one set.

    Attributes:
        run: Key of the run; for weights other than the final checkpoint, ``+`` and their hash.
        arm: Name of the arm, such as ``ctc`` or ``dctc``.
        seed: Seed of the run.
        set: Name of the set.
        n: Samples scored.
        correct: Samples read exactly.
        edits: Summed edit distance.
        characters: Summed label length.
        similarity: Summed normalized similarity (NED times n).
        drops: Samples left out, by reason.
        protocol: Protocol of labels and predictions.
        hits: Name of the file of hits, a hash of its content.
        samples: Hash of the keys of the scored samples; only equal ones can be paired.
        wall_s: Seconds of training.
        about: Further facts by name; a record has some of ``commit``, ``hardware``, ``cpu``,
            ``command``, ``versions``, ``trained``, ``steps``, ``time``, ``drawn_from``, ``drawn``,
            ``alignment``, :data:`EDIT_PARTS` and :data:`CERTAINTY`, the name of a file.
    """

    run: str
    arm: str
    seed: int
    set: str
    n: int
    correct: int
    edits: int
    characters: int
    similarity: float
    drops: dict[str, int]
    protocol: str
    hits: str
    samples: str
    wall_s: float
    about: dict[str, Any] = field(default_factory=dict)


def runs_folder() -> Path:
    """Return the folder of this user's runs: ``DCTC_RUNS``, or ``runs``."""
    return Path(os.environ.get("DCTC_RUNS") or "runs")


class Registry:
    """A folder with ``results.jsonl``, ``hits/`` and ``certainty/``.

    Args:
        folder: Created when something is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.file = self.folder / "results.jsonl"

    def write_hits(self, hits: Sequence[bool]) -> str:
        """Store hits and return the name of their file, ``<hash>-<n>.bits``."""
        return self._store("hits", np.packbits(np.asarray(hits, dtype=bool)).tobytes(), len(hits))

    def read_hits(self, record: Any) -> np.ndarray:
        """Return the hits of a record, ``(n,)`` bool.

        Args:
            record: A :class:`Record`, or a row of :func:`dctc.results.frame.read_frame`.

        Raises:
            ValueError: If the file is not what its name says, or its hits do not add up to the
                record.
            FileNotFoundError: If there is no such file.
        """
        packed = self._stored("hits", record.hits, record)
        hits = np.unpackbits(np.frombuffer(packed, np.uint8), count=record.n).astype(bool)
        if hits.sum() != record.correct:
            raise ValueError(
                f"{self.folder / 'hits' / record.hits}: {hits.sum()} hits, but the record of "
                f"{record.set} says {record.correct}"
            )
        return hits

    def write_certainty(self, rows: Sequence[Sequence[float]]) -> str:
        """Store three numbers of each sample as float16, and return the name of their file.

        Args:
            rows: ``(n, 3)``, of :class:`dctc.text.decode.Certainty`, in the order of the hits.
        """
        columns = np.asarray(rows, dtype=np.float16).reshape(-1, 3).T
        return self._store(CERTAINTY, zlib.compress(columns.tobytes(), 9), len(rows))

    def read_certainty(self, record: Record) -> np.ndarray:
        """Return ``(3, n)``: log-probability of the path and of its weakest character, frames.

        Raises:
            ValueError: If the record names no such file, or the file is not what its name says.
            FileNotFoundError: If there is no such file.
        """
        if CERTAINTY not in record.about:
            raise ValueError(
                f"{record.arm}, seed {record.seed}, {record.set}: its record has no {CERTAINTY}; "
                f"test that run again"
            )
        packed = self._stored(CERTAINTY, record.about[CERTAINTY], record)
        return np.frombuffer(zlib.decompress(packed), np.float16).reshape(3, record.n).astype(float)

    def _store(self, kind: str, packed: bytes, n: int) -> str:
        name = _content_name(kind, packed, n)
        write_whole(self.folder / kind / name, packed)
        return name

    def _stored(self, kind: str, name: str, record: Any) -> bytes:
        file, whose = self.folder / kind / name, f"{record.arm}, seed {record.seed}, {record.set}"
        cure = f"copy {kind}/ together with {self.file.name}, or test that run again"
        try:
            packed = file.read_bytes()
        except FileNotFoundError as error:
            message = f"{file} is missing: the {kind} of {whose}; {cure}"
            raise FileNotFoundError(message) from error
        if name != _content_name(kind, packed, record.n):
            raise ValueError(f"{file} is damaged, it is not what its name says: {whose}; {cure}")
        return packed

    def append(self, record: Record) -> None:
        """Add a record in one write, under a lock."""
        line = json.dumps(asdict(record), sort_keys=True) + "\n"
        lock = self.file.with_name(f".{self.file.name}.lock")
        with locked(lock, wait=True), naming(self.file), open(self.file, "ab+") as stream:
            self._set_half_a_line_aside(stream)
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _set_half_a_line_aside(self, stream: BinaryIO) -> None:
        """Move what a killed writer left at the end of the file into a file of its own."""
        stream.seek(0)
        content = stream.read()
        whole = content.rfind(b"\n") + 1
        half = content[whole:]
        if not half:
            return
        if isinstance(_parse(half), Record):
            stream.write(b"\n")  # a whole one after all, without the end of its line
            return
        aside = self.file.with_name(f"{self.file.name}.rejected")
        with open(aside, "ab") as rejected:
            rejected.write(half + b"\n")
        stream.truncate(whole)
        print(f"{self.file}: half a record, of a writer that was killed, is now in {aside}")

    def files(self, record: Record) -> list[Path]:
        """Return the files that a record names, relative to the folder."""
        named = [Path(CERTAINTY, record.about[CERTAINTY])] if CERTAINTY in record.about else []
        return [Path("hits", record.hits), *named]

    def records(self, strict: bool = False) -> Iterator[Record]:
        """Read all records; a line that is not one is named in a warning and left out.

        Raises:
            ValueError: If a line is not one, and strict.
        """
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        for number, line in enumerate(lines, start=1):
            record = _parse(line)
            if isinstance(record, Record):
                yield record
                continue
            problem = f"{self.file}:{number}: not a record ({record})"
            if strict:
                raise ValueError(f"{problem}; repair or remove that line")
            warnings.warn(f"{problem}; left out", stacklevel=2)

    def find(self, run: str) -> dict[str, Record]:
        """Return the latest records of a run, by set."""
        return {record.set: record for record in self.records() if record.run == run}

    def now(self, arm: str, seed: int) -> str:
        """Return the time of a new record of an arm and seed: UTC, as text that sorts.

        It is after the times of the records that are there, also where the clock was set back.
        """
        times = [scored_at(r) for r in self.records() if (r.arm, r.seed) == (arm, seed)]
        now, last = datetime.now(UTC).strftime(_TIME), max(times, default="")
        if now <= last:
            return (datetime.fromisoformat(last) + timedelta(seconds=1)).strftime(_TIME)
        return now

    def latest(self) -> dict[tuple[str, int], dict[str, Record]]:
        """Return the records that count, by arm and seed, then by set.

        Of several runs of an arm and seed, that is the run that was scored last, by the time in its
        records: their order in the file says nothing where some were copied from another registry.
        Results of weights other than the final checkpoint are left out.
        """
        records = [r for r in self.records() if OTHER_WEIGHTS not in r.run]
        records.sort(key=scored_at)
        last = {(record.arm, record.seed): record.run for record in records}
        found: dict[tuple[str, int], dict[str, Record]] = {}
        for record in records:
            if record.run == last[record.arm, record.seed]:
                found.setdefault((record.arm, record.seed), {})[record.set] = record
        return found


def scored_at(record: Record) -> str:
    """Return the time of a record as a string that sorts; empty if it has none."""
    return str(record.about.get("time", ""))


def _content_name(kind: str, packed: bytes, n: int) -> str:
    return f"{short_hash(packed)}-{n}.{_SUFFIXES[kind]}"


def _parse(line: str | bytes) -> Record | Exception:
    try:
        return Record(**json.loads(line))
    except (ValueError, TypeError) as error:
        return error


def samples_key(keys: Sequence[str]) -> str:
    """Return a hash of which samples were scored, in their order."""
    return short_hash("\n".join(keys))
