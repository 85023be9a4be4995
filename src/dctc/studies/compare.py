"""``dctc compare``: train the runs of a study that are missing, and compare its arms."""

from __future__ import annotations

from argparse import ArgumentError, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dctc.results.frame import per_run, read_frame
from dctc.results.registry import Registry, runs_folder
from dctc.results.upload import LogMode, report
from dctc.studies.layouts import Drawn, draw_study
from dctc.studies.parallel import Outcome, execute_all, report_problems
from dctc.studies.runner import resolve
from dctc.studies.search import choices, open_searches
from dctc.studies.status import planned_key, status_lines
from dctc.studies.study import FULL, SEARCH_SEED, Run, Study
from dctc.studies.study_file import load_study, whole_study
from dctc.studies.summary import own_sets, untested
from dctc.training.checks import try_loss


def train_study(
    study: Study,
    jobs: int = 1,
    log: LogMode = "offline",
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> dict[str, Outcome]:
    """Search, then train the final runs; return the outcome of each run, by name.

    Without ``only`` of all arms, without ``seeds`` at those of the study.

    Raises:
        ValueError: If the configuration of an arm is not valid; nothing is trained then.
    """
    _check_arms(study, only)
    outcomes = execute_all(study.search_runs(only), jobs, log)
    frame = read_frame(Registry(runs_folder()))
    if said := open_searches(study, frame):
        print(said)
    final = study.final_runs(choices(study, frame), only, seeds)
    return outcomes | execute_all(final, jobs, log)


def _check_arms(study: Study, only: Sequence[str]) -> None:
    """Resolve each arm's configuration and try its loss: mistakes show before hours of training."""
    arms: dict[str, str] = {}
    for key, arm in study.arms.items():
        if arm.owner is None and (not only or key in only):
            value = arm.search.values[0] if arm.search else None
            run = study.run(key, arm.seeds[0], value)
            try:
                config = resolve(run)
                for option in ("devices", "num_nodes"):
                    if str(number := config["trainer"][option]) not in ("1", "auto"):
                        raise ValueError(
                            f"trainer.{option} {number}: here each training has one device; set 1, "
                            f"and train several at a time with --jobs, or one on several with "
                            f"dctc fit"
                        )
                planned = planned_key(run, config)
                try_loss(config["model"])
            except (ArgumentError, ValueError) as error:
                message = " ".join(str(error).split())
                raise ValueError(f"{study.file}: arm {key}: {message}") from error
            if arm.search is None and (same := arms.setdefault(planned, key)) != key:
                print(f"{study.file}: arms {same} and {key} have one configuration: they are equal")


def plans(
    chosen: Sequence[tuple[Study, Sequence[str]]],
    frame: pd.DataFrame,
    seeds: Sequence[int] | None = None,
) -> dict[str, list[Run]]:
    """Return the planned runs of studies, of some arms or all, by the study's name.

    Searches have names of their own.
    Final runs of an arm whose search is open are not among them.
    """
    found: dict[str, list[Run]] = {}
    for study, only in chosen:
        if searches := study.search_runs(only):
            found.setdefault(f"{study.name} search", []).extend(searches)
        runs = study.final_runs(choices(study, frame), only, seeds)
        found.setdefault(study.name, []).extend(runs)
    return found


def run_command(
    target: str,
    options: Namespace,
    studies: Sequence[Study],
    draw: Callable[[Sequence[Study], pd.DataFrame, Registry], Drawn | None],
    published: Path | None = None,
    trained: Sequence[Study] | None = None,
) -> None:
    """Train what studies miss and report, or do what the options ask for.

    Args:
        target: Name of the report and of its folder below the runs.
        options: Parsed by :func:`study_parser`.
        studies: The studies that are drawn.
        draw: Returns tables and figures of their results; None if there is nothing to report.
        published: Folder of published results, which say how long runs take.
        trained: Those of the studies that are trained; None for all.

    Raises:
        ValueError: If ``--only`` names no study or arm, or leaves nothing to train, or ``--seeds``
            names that of searches.
        FileNotFoundError: If there are no results in the folder of ``--from``.
        SystemExit: If a run failed.
    """
    trained = studies if trained is None else trained
    chosen = _selected(trained, options.only)
    if SEARCH_SEED in (options.seeds or ()):
        raise ValueError(f"--seeds: {SEARCH_SEED} is the seed of searches; take another")
    if options.status:
        frame = read_frame(Registry(runs_folder()))
        print(*status_lines(plans(chosen, frame, options.seeds), published), sep="\n")
        return
    for study in studies:
        whole_study(study)  # a fault in a file beside it shows before hours of training
    outcomes: dict[str, Outcome] = {}
    log: LogMode = "off" if options.source else options.log
    if not options.source:
        for study, arms in chosen:
            outcomes |= train_study(study, options.jobs, log, arms, options.seeds)
        if trained and not outcomes:
            raise ValueError(
                f"{target}: nothing is trained of {', '.join(options.only) or 'these studies'} at "
                f"this scale and these seeds; --status lists what is planned"
            )
    registry = Registry(options.source or runs_folder())
    if options.source and not registry.file.is_file():
        raise FileNotFoundError(f"--from {options.source}: it holds no {registry.file.name}")
    frame = read_frame(registry)
    if not options.source:
        frame = _of_these(studies, frame, outcomes, options.seeds)
    shown = without_open(studies, frame)
    for study in shown:
        if said := untested(study, frame):
            print(said)
    drawn = draw(shown, frame, registry) if shown else None if studies else ({}, {})
    scale = getattr(options, "scale", "")
    name = target if scale in ("", FULL) else f"{target}-{scale}"
    if drawn is not None:  # of blind studies it is said already
        report(name, log, *drawn)
    if report_problems(outcomes):
        raise SystemExit(1)


def _of_these(
    studies: Sequence[Study],
    frame: pd.DataFrame,
    outcomes: Mapping[str, Outcome],
    seeds: Sequence[int] | None,
) -> pd.DataFrame:
    """Leave out results that are of other configurations or seeds than a study's, and say which."""
    left_out = pd.Series(False, index=frame.index)
    for study in studies:
        chosen = choices(study, frame)
        runs = study.final_runs(chosen) + (study.final_runs(chosen, (), seeds) if seeds else [])
        keys: dict[tuple[str, int], str] = {}
        for run in runs:
            of_run = (frame.arm == run.arm) & (frame.seed == run.seed)
            if of_run.any() and (run.arm, run.seed) not in keys:
                known = outcomes[run.name].records if run.name in outcomes else {}
                key = next((record.run for record in known.values()), None) or planned_key(run)
                keys[run.arm, run.seed] = key
        ours = frame.arm.isin({run.arm for run in runs}) & (frame.seed != SEARCH_SEED)
        found = zip(frame.arm, frame.seed, frame.run, strict=True)
        left_out |= ours & np.array(
            [keys.get((arm, seed)) != run for arm, seed, run in found], bool
        )
    for arm, of_arm in frame[left_out].groupby("arm"):
        of = ", ".join(map(str, sorted({*of_arm.seed})))
        print(f"{arm}: left out, of another configuration or not of the study: seeds {of}")
    return frame[~left_out]


def without_open(studies: Sequence[Study], frame: pd.DataFrame) -> list[Study]:
    """Leave out blind studies that are not complete, and print how many runs they lack.

    A study with an arm of a blind one is blind until that one is complete.

    A run counts when it has been tested on all sets of the study, and on the benchmarks that any
    run of it has been tested on. Files that share a study are one study.
    """
    shown, said = [], set[str]()
    for study in studies:
        owners = {arm.owner.file: arm.owner for arm in study.arms.values() if arm.owner}
        parts = [p for one in (study, *owners.values()) if one.blind for p in whole_study(one)]
        missing = sum(_missing(part, frame) for part in parts)
        if missing and study.name not in said:
            of = f"{missing} of {sum(len(part.runs()) for part in parts)} runs"
            print(f"{study.name}: {of} are missing; its results are shown when all are done")
            said.add(study.name)
        elif not missing:
            shown.append(study)
    return shown


def _missing(study: Study, frame: pd.DataFrame) -> int:
    runs = study.runs()
    tested = {*frame.set[frame.arm.isin([run.arm for run in runs])]}
    elsewhere = tested.intersection(study.benchmarks.names if study.benchmarks else ())
    sets = {*(study.sets or own_sets(study, frame)), *elsewhere}
    seeds = {run.arm: {*per_run(frame, run.arm, [*sets]).index} for run in runs}
    return sum(run.seed not in seeds[run.arm] for run in runs)


def _selected(studies: Sequence[Study], only: Sequence[str]) -> list[tuple[Study, list[str]]]:
    """Return the studies that ``--only`` names or that have arms it names, each with these arms."""
    known = {study.name for study in studies} | {key for study in studies for key in study.arms}
    for name in only:
        if name not in known:
            raise ValueError(f"--only {name}: there are {', '.join(sorted(known))}")
    found = [(study, [name for name in only if name in study.arms]) for study in studies]
    return [(study, arms) for study, arms in found if arms or not only or study.name in only]


def main(options: Namespace) -> None:
    """Run ``dctc compare``."""
    study = load_study(options.study, options.scale)
    options.scale = ""  # the study's name and output say it

    def draw(studies: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn | None:
        if study.drawn_by:
            print(f"{study.name}: {study.drawn_by} draws its results")
            return None
        return draw_study(studies[0], frame, registry)

    run_command(study.output or study.name, options, [study], draw)
