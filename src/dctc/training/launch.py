"""Trainings that are too large to be started here: their commands, and what they would cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dctc.reporting.tables import Table

LOSS = "experiments/configs/loss/ctc.yaml"
SEED = "$seed"  # of the loop of a shell


@dataclass(frozen=True)
class Launch:
    """The two arms of a complete configuration whose callback is DCTC.

    Attributes:
        config: The configuration.
        name: Folder of the runs below that of all runs.
        model: Name of the model, which the arms' names begin with.
        images: Images that it trains on in an epoch.
        seeds: Seeds of each arm.
        options: What it changes in the configuration.
    """

    config: Path
    name: str
    model: str
    images: int
    seeds: Sequence[int]
    options: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What the configuration says."""
        return yaml.safe_load(self.config.read_text(encoding="utf-8"))

    @property
    def gpus(self) -> int:
        """GPUs that it is written for."""
        return int(self.settings["trainer"].get("devices", 1))

    @property
    def steps(self) -> int:
        """Optimizer steps of a run."""
        settings = self.settings
        in_epoch = self.images // settings["data"]["init_args"]["batch_size"]
        return int(settings["trainer"]["max_epochs"]) * in_epoch

    def commands(self) -> list[str]:
        """Return a shell's loop over seeds that trains and tests both arms."""
        lines = [f"for seed in {' '.join(map(str, self.seeds))}; do"]
        for loss, fragment in (("dctc", ""), ("ctc", f" --config {LOSS}")):
            options = "".join([fragment, *(f" '{option}'" for option in self.options)])
            arm = f"{self.name}/{self.model}-{loss}"
            run = f"{arm}/seed{SEED}"
            lines += [
                f"  dctc fit --config {self.config}{options} \\",
                f"    --seed_everything {SEED} --arm {arm} --name {run}",
                f"  dctc test --config runs/{run}/config.yaml \\",
                f"    --ckpt_path runs/{run}/checkpoints/final.ckpt",
            ]
        return [*lines, "done"]


def cost_table(title: str, launches: Sequence[Launch], step_s: Mapping[str, float]) -> Table:
    """Return the GPU hours of trainings.

    Args:
        title: Heading.
        launches: The trainings.
        step_s: Seconds of an optimizer step on the GPUs that the configuration is written for, by
            model; what is not there is not estimated.
    """
    rows = []
    for launch in launches:
        batch = launch.settings["data"]["init_args"]["batch_size"]
        seconds, runs = step_s.get(launch.model), 2 * len(launch.seeds)
        cost = ["not measured", "-", "-"]
        if seconds is not None:
            hours = launch.steps * seconds * launch.gpus / 3600
            cost = [f"{seconds:g}", f"{hours:,.0f}", f"{runs * hours:,.0f}"]
        rows.append(
            [launch.model, str(launch.gpus), f"{batch:,}", f"{launch.steps:,}", *cost, str(runs)]
        )
    columns = ["model", "GPUs", "batch", "steps", "s/step", "GPU-hours a run", "GPU-hours", "runs"]
    notes = [
        "GPU-hours: steps times seconds a step times GPUs, without validation and tests. Seconds "
        "a step are those given with --step_seconds MODEL=SECONDS[,...]."
    ]
    return Table(title, columns, rows, notes)


def several_nodes(launch: Launch, nodes: int = 2) -> str:
    """Return how a training is started on several nodes: by torchrun, and under SLURM.

    The batch of the configuration is that of all processes together, so that it stays.
    """
    arm = f"{launch.name}/{launch.model}-dctc"
    options = (
        f"fit --config {launch.config} --arm {arm} --name {arm}/seed0 \\\n"
        f"    --trainer.num_nodes={nodes} --trainer.devices={launch.gpus}"
    )
    return f"""\
# On {nodes} nodes of {launch.gpus} GPUs, the same on each node, HOST the first of them:
torchrun --nnodes {nodes} --nproc_per_node {launch.gpus} --rdzv_backend c10d \\
    --rdzv_endpoint HOST:29500 -m dctc.cli {options}

# The same under SLURM: sbatch with this file.
#!/bin/bash
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node={launch.gpus}
#SBATCH --gpus-per-node={launch.gpus}
srun dctc {options}"""
