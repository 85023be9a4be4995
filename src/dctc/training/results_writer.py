"""Callback that writes test results to the registry, and readings as tab-separated text."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.distributed
import yaml
from pytorch_lightning.utilities import rank_zero_only

from dctc.data.records.batch import Corrupt
from dctc.files import write_whole
from dctc.metrics.edit_distance import EditOperations, edit_operations, normalized_similarity
from dctc.results.environment import environment
from dctc.results.predictions import Outcome, write_readings
from dctc.results.registry import (
    CERTAINTY,
    EDIT_PARTS,
    OTHER_WEIGHTS,
    Record,
    Registry,
    runs_folder,
    samples_key,
)
from dctc.runs.folder import FINAL, digest, marked, weights_file
from dctc.runs.key import arm_of, drawn_versions, run_key
from dctc.training.checks import SCORING
from dctc.training.module import RecognizerModule

LABELS = "labels.json"  # in the folder of a run: labels of each set, and what was left out
CORRUPT = "image cannot be read"  # reason of drops that appear only when images are decoded


class ResultsWriter(pl.Callback):
    """Writes one record per test set into the registry; of several processes, on rank 0.

    Args:
        folder: Folder of the registry.
        run: Key of the run.
        arm: What is compared, such as ``ctc`` or ``dctc``.
        seed: Seed of the run.
        protocol: Protocol of labels and predictions.
        readings: Folder for ``<set>.tsv``: key, label, prediction and confidence of every sample;
            beside it, a training writes :data:`LABELS`.
        drawn: Versions of what draws the data, see :func:`dctc.runs.key.drawn_versions`.

    Attributes:
        records: What the last test wrote.
    """

    def __init__(
        self,
        folder: Path,
        run: str,
        arm: str,
        seed: int,
        protocol: str,
        readings: Path,
        drawn: Mapping[str, int] | None = None,
    ) -> None:
        self.drawn = dict(drawn or {})
        self.readings = readings
        self.registry = Registry(folder)
        self.run, self.arm, self.seed, self.protocol = run, arm, seed, protocol
        self.train_seconds = 0.0
        # environment; of a resumed training, the last one, and before: other CPUs that it ran on
        self.trained: dict[str, Any] = {}
        self._began: float | None = None  # time at which training began
        self._steps = 0  # of the loaded checkpoint; in a test the trainer's are 0
        self.records: list[Record] = []

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock, and note what was left out of training and validation labels."""
        self._began = time.monotonic()
        here = environment(trainer.strategy.root_device)
        before = self.trained  # of a resumed training
        others = [*before.get("before", ()), *(b for b in [before.get("cpu")] if b)]
        if others := [cpu for cpu in others if cpu != here["cpu"]]:
            here["before"] = others
        found: Any = getattr(getattr(trainer, "datamodule", None), "labels", dict)()
        if dropping := {k: found[k]["left_out"] for k in found if found[k]["left_out"]}:
            here["left_out"] = dropping
        self.trained = here
        if trainer.is_global_zero and found and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            text = json.dumps(found, ensure_ascii=False, indent=1)
            write_whole(self.readings.with_name(LABELS), text.encode())

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop the clock."""
        self.train_seconds, self._began = self._seconds(), None

    def state_dict(self) -> dict[str, Any]:
        """Return the seconds trained so far, for a run that is resumed, and the environment."""
        return {"train_seconds": self._seconds(), "trained": self.trained}

    def _seconds(self) -> float:
        running = 0.0 if self._began is None else time.monotonic() - self._began
        return self.train_seconds + running

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.train_seconds = state["train_seconds"]
        # older checkpoints hold the hardware, or nothing
        self.trained = state.get("trained", {"hardware": state.get("trained_on", "unknown")})

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Take the number of steps that the weights were trained for."""
        self._steps = checkpoint["global_step"]

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Gather the outcomes of all processes and write the records."""
        assert isinstance(pl_module, RecognizerModule)
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return  # a trial of one batch has no result
        gathered: list[Any] = [(pl_module.outcomes, pl_module.corrupt)] * trainer.world_size
        if trainer.world_size > 1:
            torch.distributed.all_gather_object(gathered, gathered[0])
        if trainer.is_global_zero:
            now = self.registry.now(self.arm, self.seed)
            self.records = [
                self._record(name, gathered, trainer, now) for name in pl_module.set_names("test")
            ]
            for record in self.records:
                self.registry.append(record)
        trainer.strategy.barrier()  # any process may read the registry next

    def _record(self, name: str, gathered: list[Any], trainer: pl.Trainer, now: str) -> Record:
        outcomes: list[Outcome] = [o for part, _ in gathered for o in part.get(name, [])]
        corrupt: list[Corrupt] = [c for _, part in gathered for c in part.get(name, [])]
        outcomes.sort(key=lambda outcome: _position(outcome.key))
        hits = [o.prediction == o.label for o in outcomes]
        sure: list[Any] = [o.certainty for o in outcomes]
        write_readings(self.readings / f"{name}.tsv", outcomes)
        operations = [edit_operations(o.prediction, o.label) for o in outcomes]
        parts = EditOperations(*map(sum, zip((0, 0, 0), *operations, strict=True)))
        data: Any = getattr(trainer, "datamodule", None)
        indexed: dict[str, Any] = getattr(data, "labels", dict)()
        drops = Counter[str](indexed.get(name, {}).get("left_out", {}))
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
                **self._environment(trainer),
                # fonts and words of rendered samples, whose keys are numbers
                **({"drawn_from": data.drawn_from()} if hasattr(data, "drawn_from") else {}),
                **({"drawn": self.drawn} if self.drawn else {}),
                "steps": max(trainer.global_step, self._steps),
                "time": now,
                EDIT_PARTS: parts._asdict(),
                **({CERTAINTY: self.registry.write_certainty(sure)} if all(sure) else {}),
            },
        )

    def _environment(self, trainer: pl.Trainer) -> dict[str, Any]:
        """Return the environment of the test, and what differed where the net was trained."""
        here = environment(trainer.strategy.root_device)
        if not self.trained:
            return here
        other = {name: value for name, value in self.trained.items() if value != here.get(name)}
        trained = {"trained": other} if other else {}
        return {**here, "trained_on": self.trained["hardware"], **trained}


def _position(key: str) -> tuple[str, int]:
    """Return a sort key that puts ``set/2`` before ``set/10``."""
    folder, _, number = key.rpartition("/")
    return (folder, int(number)) if number.isdigit() else (key, 0)


def writer_of_run(config: dict[str, Any], folder: Path, subcommand: str | None) -> ResultsWriter:
    """Return the writer of the results of a run, from its resolved configuration.

    A subcommand such as ``test`` may score other weights than the run's own; None trains.
    """
    checkpoint, start = config.get("ckpt_path"), config.get("init_from")
    unknown = f"{checkpoint} is not the end of a training of this configuration in {folder}"
    if subcommand in SCORING and not _is_there(start):
        unknown = f"init_from {start}, by which a run is known too, is not there any more"
        config = {**config, "init_from": None}
    run, readings = run_key(config), "readings"
    if subcommand in SCORING and checkpoint:
        if config.get("init_from") == start and _is_end(checkpoint, config, folder):
            run = marked(folder)
        else:
            other = f"{OTHER_WEIGHTS}{digest(checkpoint)}"
            run, readings = run + other, readings + other
            if subcommand == "test":
                rank_zero_only(print)(f"dctc: {unknown}; tables leave its results out")
    return ResultsWriter(
        runs_folder(),
        run=run,
        arm=config["arm"] or arm_of(config),
        seed=config["seed_everything"],
        protocol=config["model"]["protocol"],
        readings=folder / readings,
        drawn=drawn_versions(config),
    )


def _is_there(start: str | None) -> bool:
    try:
        return start is None or weights_file(start).is_file()
    except FileNotFoundError:
        return False


def _is_end(checkpoint: str, config: dict[str, Any], folder: Path) -> bool:
    """Tell whether a checkpoint is the end of this training in the folder; test sets may differ."""
    final, saved = folder / "checkpoints" / FINAL, folder / "config.yaml"
    if not (final.is_file() and Path(checkpoint).samefile(final)):
        return False
    data = dict(config["data"])
    if "test" in data.get("init_args", {}) and saved.is_file():
        trained = yaml.safe_load(saved.read_text(encoding="utf-8"))["data"]
        chosen = trained.get("init_args", {}).get("test")
        data["init_args"] = {**data["init_args"], "test": chosen}
    return run_key({**config, "data": data}) == marked(folder)
