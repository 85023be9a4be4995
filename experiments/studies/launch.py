"""Trainings that are too large to be started here: their commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

DCTC = ".venv/bin/dctc"  # as ./reproduce.sh makes it, from the repository's root
RUNS = "${DCTC_RUNS:-runs}"  # read by the shell that runs the commands, as dctc itself reads it
SEED = "$seed"  # of the loop of a shell
BOTH = {"dctc": (), "ctc": ("--config", "experiments/configs/loss/ctc.yaml")}


@dataclass(frozen=True)
class Launch:
    """A complete configuration, trained with some losses over some seeds.

    Attributes:
        config: The configuration.
        name: Folder of the runs below that of all runs.
        model: Name of the model, which the arms' names begin with.
        images: Images that it trains on in an epoch.
        seeds: Seeds of each arm.
        options: What it changes in the configuration.
        losses: What each loss changes, by its name; the default is for a configuration whose
            callback is DCTC.
    """

    config: Path
    name: str
    model: str
    images: int
    seeds: Sequence[int]
    options: tuple[str, ...] = ()
    losses: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BOTH)

    @property
    def title(self) -> str:
        """What tells it from other trainings of the same model."""
        return f"{self.name}/{self.model}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the configuration says."""
        return yaml.safe_load(self.config.read_text(encoding="utf-8"))

    @property
    def gpus(self) -> int:
        """GPUs that it is written for."""
        return int(self.settings["trainer"].get("devices", 1))

    @property
    def workers(self) -> int:
        """Worker processes of each GPU that load images."""
        return int(self.settings["data"]["init_args"]["num_workers"])

    @property
    def batch(self) -> int:
        """Images of an optimizer step, over all GPUs."""
        return int(self.settings["data"]["init_args"]["batch_size"])

    @property
    def steps(self) -> int:
        """Optimizer steps of a run."""
        return int(self.settings["trainer"]["max_epochs"]) * (self.images // self.batch)

    @property
    def runs(self) -> int:
        """How many trainings it is."""
        return len(self.losses) * len(self.seeds)

    def fit(self, loss: str, command: str = f"{DCTC} fit") -> list[str]:
        """Return the lines that train with a loss, in a shell's loop over seeds."""
        words = ["--config", str(self.config), *self.losses[loss], *self.options]
        arm = f"{self.name}/{self.model}-{loss}"
        return [
            f"  {command} {shlex.join(words)} \\",
            f"    --seed_everything {SEED} --arm {arm} --name {arm}/seed{SEED}",
        ]

    def test(self, loss: str, more: str = "") -> list[str]:
        """Return the lines that test what :meth:`fit` has trained."""
        run = f"{RUNS}/{self.name}/{self.model}-{loss}/seed{SEED}"
        return [
            f'  {DCTC} test --config "{run}/config.yaml"{more} \\',
            f'    --ckpt_path "{run}/checkpoints/final.ckpt"',
        ]

    def loop(self, lines: Sequence[str]) -> list[str]:
        """Return a shell's loop over seeds."""
        return [f"for seed in {' '.join(map(str, self.seeds))}; do", *lines, "done"]

    def commands(self) -> list[str]:
        """Return a shell's loop over seeds that trains and tests with each loss."""
        return self.loop([x for loss in self.losses for x in (*self.fit(loss), *self.test(loss))])
