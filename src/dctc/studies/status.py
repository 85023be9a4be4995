"""Status of studies: which runs are done, which are missing, and how long these take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from dctc.data.records.provenance import RECIPE
from dctc.results.frame import read_frame
from dctc.results.registry import Record, Registry, runs_folder
from dctc.runs.key import run_key
from dctc.studies.runner import resolve
from dctc.studies.study import Run


def planned_key(run: Run, config: dict[str, Any] | None = None) -> str:
    """Return the key that a run will have, whether its training words are drawn yet or not.

    ``config`` is its resolved configuration where that is known.
    """
    config = config or resolve(run)
    if run.stored is not None and not (run.stored.folder / RECIPE).is_file():
        config["data"]["init_args"]["stored"] = run.stored.data().seed
    return run_key(config)


def is_done(run: Run, found: Mapping[str, Record]) -> bool:
    """Return whether the records of its arm and seed are those of a run, and complete.

    Benchmarks that are not below the data root are not required.
    """
    further = run.benchmarks.present() if run.benchmarks is not None else set()
    if not found or not further <= found.keys():
        return False
    if run.diagnosed and not any("alignment" in record.about for record in found.values()):
        return False
    key = planned_key(run)
    return all(record.run == key for record in found.values())


def status_lines(plans: Mapping[str, Sequence[Run]], published: Path | None = None) -> list[str]:
    """Return a line for each plan, and one for all together if there are several.

    A run that several plans share counts once in the last line. The time of a missing run is the
    mean of its arm's runs, here or in the folder of published ones, on a GPU where there is one and
    on CPU cores elsewhere; an arm without any is guessed by the mean of the others in its plan.
    """
    every = {run.name: run for runs in plans.values() for run in runs}
    registry = Registry(runs_folder())
    own = registry.latest()
    done = {name for name, run in every.items() if is_done(run, own.get((run.arm, run.seed), {}))}
    seconds = _seconds_by_arm(Registry(published)) if published else {}
    seconds |= _seconds_by_arm(registry)
    lines = {name: _line(runs, done, seconds) for name, runs in plans.items()}
    if len(plans) > 1:
        lines["together"] = _line([*every.values()], done, seconds)
    width = max(map(len, lines))
    return [f"{name:<{width}}  {line}" for name, line in lines.items()]


def _line(runs: Sequence[Run], done: set[str], seconds: Mapping[str, float]) -> str:
    if not runs:
        return "nothing to train"
    missing = [run for run in runs if run.name not in done]
    text = f"{len(runs) - len(missing):>4} of {len(runs):>4} runs done, {len(missing):>4} missing"
    known = [seconds[run.arm] for run in runs if run.arm in seconds]
    if not missing:
        return text
    if not known:
        return f"{text}; not known how long {'on a GPU' if _on_gpu() else 'on CPU cores'}"
    mean = sum(known) / len(known)
    total = sum(seconds.get(run.arm, mean) for run in missing)
    guessed = sum(run.arm not in seconds for run in missing)
    text = f"{text}; about {total / 3600:.1f} h, one at a time"
    return text + (f", {guessed} guessed" if guessed else "")


def _on_gpu() -> bool:
    return torch.cuda.is_available()


def _seconds_by_arm(registry: Registry) -> dict[str, float]:
    """Return the mean training time of each arm on the kind of machine that this is."""
    frame = read_frame(registry)
    of_run = frame[(frame.gpu != "") == _on_gpu()].groupby(["arm", "seed"]).seconds.max()
    return dict(of_run.groupby("arm").mean())
