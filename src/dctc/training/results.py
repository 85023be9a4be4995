"""From a test's outcomes to the registry."""

from __future__ import annotations

import csv
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed

from dctc.data.records.batch import Corrupt
from dctc.metrics import normalized_similarity
from dctc.metrics.edit_distance import EditOperations, edit_operations
from dctc.results.environment import environment
from dctc.results.registry import EDIT_PARTS, Record, Registry, samples_key
from dctc.training.module import RecognizerModule
from dctc.training.scores import Outcome

CORRUPT = "image cannot be read"  # reason of drops that show only when the image is decoded


class ResultsWriter(pl.Callback):
    """Writes one record per test set into the registry; on several processes, rank 0 does.

    Args:
        folder: Folder of the registry.
        run: Key of the run.
        arm: What is compared, such as ``ctc`` or ``dctc``.
        seed: Seed of the run.
        protocol: Protocol of labels and predictions.
        readings: Folder for ``<set>.tsv``: key, label, prediction and confidence of every sample.

    Attributes:
        records: What the last test wrote.
    """

    def __init__(
        self, folder: Path, run: str, arm: str, seed: int, protocol: str, readings: Path
    ) -> None:
        self.readings = readings
        self.registry = Registry(folder)
        self.run, self.arm, self.seed, self.protocol = run, arm, seed, protocol
        self.train_seconds = 0.0
        self.trained_on = ""  # the hardware; where a run went on elsewhere, the last one
        self._began: float | None = None  # since when training runs
        self._steps = 0  # of the checkpoint that was loaded; a test starts the trainer's at 0
        self.records: list[Record] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._began = time.monotonic()
        self.trained_on = environment(trainer.strategy.root_device)["hardware"]

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.train_seconds, self._began = self._seconds(), None

    def state_dict(self) -> dict[str, Any]:
        """Keep the seconds trained so far, for a run that is resumed, and the hardware."""
        return {"train_seconds": self._seconds(), "trained_on": self.trained_on}

    def _seconds(self) -> float:
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self.train_seconds + running

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.train_seconds = state["train_seconds"]
        self.trained_on = state.get("trained_on", "unknown")  # by older checkpoints

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take over how long the weights have been trained."""
        self._steps = checkpoint["global_step"]

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gather the outcomes of all processes and write the records."""
        assert isinstance(pl_module, RecognizerModule)
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return  # a look at one batch is no result
        gathered = _gather((pl_module.outcomes, pl_module.corrupt))
        if trainer.is_global_zero:
            self.records = [
                self._record(name, gathered, trainer) for name in pl_module.test_set_names()
            ]
            for record in self.records:
                self.registry.append(record)
        trainer.strategy.barrier()  # what comes next may read the registry, on any process

    def _record(self, name: str, gathered: list[Any], trainer: pl.Trainer) -> Record:
        outcomes: list[Outcome] = [o for part, _ in gathered for o in part.get(name, [])]
        corrupt: list[Corrupt] = [c for _, part in gathered for c in part.get(name, [])]
        outcomes.sort(key=lambda outcome: _position(outcome.key))
        hits = [o.prediction == o.label for o in outcomes]
        write_readings(self.readings / f"{name}.tsv", outcomes)
        operations = [EditOperations(0, 0, 0), *map(_operations, outcomes)]
        parts = EditOperations(*map(sum, zip(*operations, strict=True)))
        drops = Counter(_drops(trainer, name))
        if corrupt:
            drops[CORRUPT] += len(corrupt)
        return Record(
            run=self.run,
            arm=self.arm,
            seed=self.seed,
            set=name,
            n=len(outcomes),
            correct=sum(hits),
            edits=sum(parts),
            characters=sum(len(o.label) for o in outcomes),
            similarity=sum(normalized_similarity(o.prediction, o.label) for o in outcomes),
            drops=dict(drops),
            protocol=self.protocol,
            hits=self.registry.write_hits(hits),
            samples=samples_key([o.key for o in outcomes]),
            wall_s=round(self.train_seconds, 1),
            about={
                **environment(trainer.strategy.root_device),
                **({"trained_on": self.trained_on} if self.trained_on else {}),
                **_source(trainer),
                "steps": max(trainer.global_step, self._steps),
                "time": now(),
                EDIT_PARTS: parts._asdict(),
            },
        )


def _operations(outcome: Outcome) -> EditOperations:
    return edit_operations(outcome.prediction, outcome.label)


def write_readings(file: Path, outcomes: list[Outcome]) -> None:
    """Write outcomes as tab-separated text with a head line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(Outcome._fields)
        writer.writerows(outcomes)


def read_readings(file: Path) -> list[Outcome]:
    """Read what :func:`write_readings` wrote."""
    with open(file, newline="", encoding="utf-8") as stream:
        rows = csv.reader(stream, delimiter="\t")
        next(rows)
        return [Outcome(key, label, text, float(p)) for key, label, text, p in rows]


def _drops(trainer: pl.Trainer, name: str) -> dict[str, int]:
    drops = getattr(getattr(trainer, "datamodule", None), "drops", None)
    return drops(name) if drops else {}


def _source(trainer: pl.Trainer) -> dict[str, str]:
    """Say what drawn words are drawn from: their keys are numbers and do not."""
    drawn_from = getattr(getattr(trainer, "datamodule", None), "drawn_from", None)
    return {"drawn_from": drawn_from()} if drawn_from else {}


def _position(key: str) -> tuple[str, int]:
    """Order ``set/2`` before ``set/10``."""
    folder, _, number = key.rpartition("/")
    return (folder, int(number)) if number.isdigit() else (key, 0)


def _gather(mine: Any) -> list[Any]:
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return [mine]
    everyone: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(everyone, mine)
    return everyone


def now() -> str:
    """Return the time in UTC, as records have it; of two such texts the later one is larger."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
