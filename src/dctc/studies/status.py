"""Which runs of a plan are done, which are missing, and how long these take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from dctc.data.records.writer import RECIPE
from dctc.results.comparison import find_arms
from dctc.results.environment import gpu
from dctc.results.registry import Record, Registry, runs_folder
from dctc.studies.real_words import Benchmarks
from dctc.studies.runner import Run
from dctc.studies.stored_words import DATA
from dctc.training.cli import RecognizerCLI
from dctc.training.logs import quiet_lightning
from dctc.training.run_key import run_key

_STORED = f"{DATA}stored="
PUBLISHED = Path("experiments/results")  # says how long runs take that nobody did here

OfSet = Mapping[str, Record]
# The runs of each plan by its name; or a line that says what else there is
Plans = Mapping[str, Sequence[Run] | str]


class _Unbuilt(RecognizerCLI):
    """Resolves a configuration; builds nothing and touches no folder."""

    def before_instantiate_classes(self) -> None:
        """Check nothing."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Seed nothing."""


def planned_key(run: Run) -> str | None:
    """Return the key that a run will have; None while the words that it reads are not drawn."""
    folders = [o.removeprefix(_STORED) for o in run.options if o.startswith(_STORED)]
    if not all((Path(folder) / RECIPE).is_file() for folder in folders):
        return None
    return run_key(_Unbuilt(["--name", run.name, "--log=off", *run.options], run=False).resolved)


def is_done(run: Run, found: OfSet) -> bool:
    """Say whether the records of a run's arm and seed are its own, and of all further sets.

    Benchmarks that are not there are not missed.

    Args:
        run: The run.
        found: The records of that arm and seed, by set.
    """
    further = {n for test in run.tests if isinstance(test, Benchmarks) for n in test.present()}
    if not found or not further <= found.keys():
        return False
    # of words that are not drawn it is not known what they will be; what was scored counts
    key = planned_key(run)
    return key is None or all(record.run == key for record in found.values())


def status_lines(plans: Plans) -> list[str]:
    """Return a line for each plan, and one for all of them together if there are several.

    A run that several plans share is counted once in the last one. How long a missing run takes is
    the mean of its arm here, else among the published ones. Only trainings on a GPU count where
    there is one, and only those on CPU cores elsewhere. An arm without any is guessed: it takes the
    mean of the others in its plan.

    Args:
        plans: Their runs are named ``<arm>/seed<seed>``.
    """
    quiet_lightning()
    every = {run.name: run for runs in plans.values() if not isinstance(runs, str) for run in runs}
    own, published = (_by_run(Registry(folder)) for folder in (runs_folder(), PUBLISHED))
    done = {name for name, run in every.items() if is_done(run, own.get(name, {}))}
    of_arm = {**_seconds_by_arm(published), **_seconds_by_arm(own)}
    width = max(map(len, [*plans, _ALL]))
    lines = [
        runs if isinstance(runs, str) else _line([run.name for run in runs], done, of_arm)
        for runs in plans.values()
    ]
    named = [*zip(plans, lines, strict=True)]
    if len(plans) > 1:
        named.append((_ALL, _line([*every], done, of_arm)))
    return [f"{name:<{width}}  {line}" for name, line in named]


_ALL = "together"


def _line(names: Sequence[str], done: set[str], of_arm: Mapping[str, float]) -> str:
    if not names:
        return "nothing to train"
    missing = [name for name in names if name not in done]
    text = f"{len(names) - len(missing):>4} of {len(names):>4} runs done, {len(missing):>4} missing"
    known = [of_arm[arm] for name in names if (arm := _arm(name)) in of_arm]
    if not missing:
        return text
    if not known:
        return f"{text}; not known how long {'on a GPU' if _on_gpu() else 'on CPU cores'}"
    mean = sum(known) / len(known)
    seconds = sum(of_arm.get(_arm(name), mean) for name in missing)
    guessed = sum(_arm(name) not in of_arm for name in missing)
    text = f"{text}; about {seconds / 3600:.1f} h, one at a time"
    return text + (f", {guessed} guessed" if guessed else "")


def _on_gpu() -> bool:
    return torch.cuda.is_available()


def _arm(name: str) -> str:
    return name.rpartition("/")[0]


def _by_run(registry: Registry) -> dict[str, dict[str, Record]]:
    """Return the records that tables would take, by ``<arm>/seed<seed>`` and set."""
    found: dict[str, dict[str, Record]] = {}
    for arm, of_set in find_arms(registry, "").items():
        for name, of_seed in of_set.items():
            for seed, record in of_seed.items():
                found.setdefault(f"{arm}/seed{seed}", {})[name] = record
    return found


def _seconds_by_arm(found: Mapping[str, OfSet]) -> dict[str, float]:
    """Return the mean time of each arm on the kind of machine that this is."""
    seconds: dict[str, list[float]] = {}
    here = _on_gpu()
    for name, of_set in found.items():
        times = [r.wall_s for r in of_set.values() if bool(gpu(r.about)) == here]
        if times:
            seconds.setdefault(_arm(name), []).append(max(times))
    return {arm: sum(s) / len(s) for arm, s in seconds.items()}
