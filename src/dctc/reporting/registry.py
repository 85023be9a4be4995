"""The registry: one JSON line per (run, benchmark), and each sample's hit or miss beside it.

A record holds counts, never rates. ``hits`` names a file with one bit per scored sample, in the
order of the set, so that two arms can be compared sample by sample.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Raised by hand when a change of the code would change results; part of every run's key.
RECIPE_VERSION = 1

# What does not change a run's results, hence not its key.
_NOT_HASHED = {
    "trainer": {
        "accelerator",
        "barebones",
        "default_root_dir",
        "devices",
        "enable_checkpointing",
        "enable_model_summary",
        "enable_progress_bar",
        "log_every_n_steps",
        "logger",
        "num_nodes",
        "num_sanity_val_steps",
        "plugins",
        "profiler",
        "strategy",
    },
    "data": {"data_root", "num_workers"},
}
# Lightning's callbacks that only look on; any other may change results (an average of weights, a
# schedule, an early stop) and is hashed.
_ONLOOKERS = {
    "DeviceStatsMonitor",
    "LearningRateMonitor",
    "ModelCheckpoint",
    "ModelSummary",
    "OnExceptionCheckpoint",
    "RichModelSummary",
    "RichProgressBar",
    "TQDMProgressBar",
}


@dataclass(frozen=True)
class Record:
    """The result of one run on one set.

    Attributes:
        run: Key of the run.
        arm: What is compared, such as ``ctc`` or ``dctc``.
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
        about: Versions, hardware, commit, steps and the like; not interpreted.
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
    """A folder with ``results.jsonl`` and ``hits/``.

    Args:
        folder: Created when something is written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.file = self.folder / "results.jsonl"

    def write_hits(self, hits: Sequence[bool]) -> str:
        """Store hits and return the name of their file, ``<hash>-<n>.bits``."""
        packed = np.packbits(np.asarray(hits, dtype=bool)).tobytes()
        name = f"{hashlib.sha256(packed).hexdigest()[:16]}-{len(hits)}.bits"
        (self.folder / "hits").mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "hits" / name, packed)
        return name

    def read_hits(self, record: Record) -> np.ndarray:
        """Return the hits of a record, ``(n,)`` bool.

        Raises:
            ValueError: If the file's hits do not add up to the record.
        """
        packed = np.frombuffer((self.folder / "hits" / record.hits).read_bytes(), dtype=np.uint8)
        hits = np.unpackbits(packed, count=record.n).astype(bool)
        if hits.sum() != record.correct:
            raise ValueError(
                f"{self.folder / 'hits' / record.hits}: {hits.sum()} hits, but the record of "
                f"{record.set} says {record.correct}"
            )
        return hits

    def append(self, record: Record) -> None:
        """Add a record in one write, under a lock."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(record), sort_keys=True) + "\n"
        with open(self.file, "ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            # the size now, not when the file was opened: the lock may have been waited for
            if os.fstat(stream.fileno()).st_size and not self._ends_with_newline():
                line = "\n" + line  # a killed writer left half a line; it stays apart
            stream.write(line.encode())
            stream.flush()
            os.fsync(stream.fileno())

    def _ends_with_newline(self) -> bool:
        with open(self.file, "rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read() == b"\n"

    def records(self) -> Iterator[Record]:
        """Read all records; a line that is not one is named in a warning and left out."""
        if not self.file.exists():
            return
        for number, line in enumerate(self.file.read_text().splitlines(), start=1):
            try:
                yield Record(**json.loads(line))
            except (ValueError, TypeError) as error:
                warnings.warn(
                    f"{self.file}:{number}: not a record ({error}); left out", stacklevel=2
                )

    def find(self, run: str) -> dict[str, Record]:
        """Return the latest records of a run, by set."""
        return {record.set: record for record in self.records() if record.run == run}


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def samples_key(keys: Sequence[str]) -> str:
    """Return a hash of which samples were scored, in their order."""
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def run_key(config: dict[str, Any]) -> str:
    """Return the key of a run: a hash of what determines its result.

    Args:
        config: The resolved configuration of the command line (``seed_everything``, ``trainer``,
            ``model``, ``data``).
    """
    trainer = {k: v for k, v in config["trainer"].items() if k not in _NOT_HASHED["trainer"]}
    trainer["callbacks"] = [
        callback
        for callback in trainer.get("callbacks") or []
        if callback["class_path"].rsplit(".", 1)[-1] not in _ONLOOKERS
    ]
    data = dict(config["data"])
    data["init_args"] = {
        k: v for k, v in data.get("init_args", {}).items() if k not in _NOT_HASHED["data"]
    }
    hashed = {
        "recipe_version": RECIPE_VERSION,
        "seed": config["seed_everything"],
        "trainer": trainer,
        "model": config["model"],
        "data": data,
    }
    text = json.dumps(hashed, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
