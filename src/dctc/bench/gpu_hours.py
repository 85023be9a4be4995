"""What large trainings would cost, from the measured time of their steps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from experiments.studies.launch import Launch

from dctc.bench.steps import FILE, PUBLISHED_FILE
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.studies.status import PUBLISHED

BENCH = "dctc bench --what steps"
_EXPLAINED = (
    "GPU-hours: steps times seconds a step times GPUs, of each run and of all; without validation "
    "and tests."
)


def cost_table(title: str, launches: Sequence[Launch], given: Mapping[str, float]) -> Table:
    """Return the GPU hours of trainings; what has no seconds of a step is not estimated.

    Steps are those measured here, else the published ones.

    Args:
        title: Heading.
        launches: The trainings.
        given: Seconds of an optimizer step on the GPUs that the configuration is written for, by
            model; they come before what was measured.
    """
    measured, hardware = _measured(launches)
    seconds = {**measured, **given}
    rows = []
    for launch in launches:
        cost = ["not measured", "-", "-"]
        if launch.model in seconds:
            step = seconds[launch.model]
            hours = launch.steps * step * launch.gpus / 3600
            cost = [f"{step:.4g}", f"{hours:,.0f}", f"{launch.runs * hours:,.0f}"]
        size = [str(launch.gpus), f"{launch.batch:,}", f"{launch.steps:,}"]
        rows.append([launch.title, *size, *cost, str(launch.runs)])
    columns = ["runs of", "GPUs", "batch", "steps", "s/step", "GPU-hours each", "GPU-hours", "runs"]
    notes = [_EXPLAINED]
    if measured.keys() - given.keys():
        notes.append(
            f"Estimated from steps measured on one {hardware}: DCTC, one GPU's share of the batch, "
            f"without loading and the exchange of gradients ({BENCH}). Every loss is taken to cost "
            f"as much as DCTC."
        )
    if told := [launch.model for launch in launches if launch.model in given]:
        notes.append(f"Given with --step_seconds: {', '.join(told)}.")
    if any(launch.model not in seconds for launch in launches):
        notes.append(
            f"Not measured: {BENCH} does so on a GPU; or --step_seconds MODEL=SECONDS[,...]."
        )
    return Table(title, columns, rows, notes)


def _measured(launches: Sequence[Launch]) -> tuple[dict[str, float], str]:
    """Return the seconds of a step by model, and the hardware.

    Empty if nothing was measured. A time of another batch than the configuration has is left out.
    """
    for file in (runs_folder() / FILE, PUBLISHED / PUBLISHED_FILE):
        if not file.exists():
            continue
        read = json.loads(file.read_text(encoding="utf-8"))
        steps = {row["config"]: row for row in read["rows"]}
        found = {}
        for launch in launches:
            step = steps.get(launch.config.stem)
            if step is not None and step["images"] == launch.batch // launch.gpus:
                found[launch.model] = float(step["seconds"])
        if found:
            return found, read["hardware"]
    return {}, ""
