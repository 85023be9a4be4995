"""Analysis of experiments/PROTOCOL.md: DCTC against CTC over families of nets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dctc.metrics.calibration import area_under_risk_coverage, expected_calibration_error
from dctc.results.environment import gpu
from dctc.results.frame import per_run
from dctc.results.registry import Record, Registry
from dctc.results.statistics import check_comparable
from dctc.studies.study import Study
from experiments.tables.families import (
    Estimate,
    RandomEffects,
    holm,
    pooled_difference,
    random_effects,
    t_estimate,
)

MARGIN = 0.5  # points, of the decision rule
CONFIDENCES = ("path", "geometric mean", "weakest character")
MEASURES = {"ECE": expected_calibration_error, "AURC": area_under_risk_coverage}


class Analysis(NamedTuple):
    """What the protocol asks for of FUNSD words, in points.

    Attributes:
        primary: Accuracy of DCTC minus CTC, pooled over families.
        verdict: By the decision rule.
        families: The same of each family.
        secondary: By name: estimate, and p after Holm.
        random: The random-effects mean, which is among the secondary ones.
        folds: The primary difference with folds as the units.
    """

    primary: Estimate
    verdict: str
    families: dict[str, Estimate]
    secondary: dict[str, tuple[Estimate, float]]
    random: RandomEffects
    folds: Estimate


def decide(low: float, high: float) -> str:
    """Return the verdict of a 95 % CI in points, by the protocol's decision rule."""
    if low > MARGIN:
        return "gains at least 0.5"
    if low > 0:
        return "gains"
    if high < 0:
        return "loses"
    return "gains less than 0.5" if high < MARGIN else "inconclusive"


def run_values(study: Study, frame: pd.DataFrame, metric: str = "accuracy") -> pd.DataFrame:
    """Return a value for each family, arm and block: the mean over the study's test sets.

    Args:
        study: Its arms are named ``<family>-<arm>``; a seed is a block.
        frame: Results of all its runs.
        metric: A column of the frame.

    Raises:
        ValueError: If a run is missing.
    """
    found = []
    for key in study.arms:
        family, _, arm = key.partition("-")
        values = per_run(frame, study.arm_name(key), study.sets, metric)
        if missing := {*study.arms[key].seeds} - {*values.index}:
            sets = ", ".join(study.sets)
            raise ValueError(
                f"{study.name}: {key} has no result of seeds {sorted(missing)} on {sets}"
            )
        for seed, value in values[values.index.isin(study.arms[key].seeds)].items():
            found.append({"family": family, "arm": arm, "block": seed, "value": value})
    return pd.DataFrame(found)


def analyse(study: Study, frame: pd.DataFrame, registry: Registry) -> Analysis:
    """Return the primary and secondary results of FUNSD words.

    Raises:
        ValueError: If a run is missing, test words or steps differ, or a family and fold was
            trained on several kinds of machine.
    """
    check_comparable(frame, [study.arm_name(key) for key in study.arms], study.sets)
    check_machines(study, registry)
    accuracy, ned = (run_values(study, frame, metric) for metric in ("accuracy", "ned"))
    primary, families = pooled_difference(accuracy, "dctc", "ctc", blocked=True)
    effects = [*families.values()]
    random = random_effects([e.points for e in effects], [e.error for e in effects])
    secondary = {
        "minus confidence penalty": pooled_difference(
            accuracy, "dctc", "confidence_penalty", blocked=True
        )[0],
        "NED": pooled_difference(ned, "dctc", "ctc", blocked=True)[0],
        "random-effects mean": random.mean,
    }
    adjusted = holm([estimate.p for estimate in secondary.values()])
    return Analysis(
        primary=primary,
        verdict=decide(primary.low, primary.high),
        families=families,
        secondary=dict(zip(secondary, zip(secondary.values(), adjusted, strict=True), strict=True)),
        random=random,
        folds=of_blocks(accuracy),
    )


def of_blocks(values: pd.DataFrame) -> Estimate:
    """Return DCTC minus CTC with blocks as units: of each the mean over families."""
    means = values.pivot_table(index="block", columns="arm", values="value")
    gains = means["dctc"] - means["ctc"]
    error = float(gains.std(ddof=1) / np.sqrt(len(gains)))
    return t_estimate(float(gains.mean()), error, len(gains) - 1)


def analyse_scenes(
    study: Study, frame: pd.DataFrame, registry: Registry
) -> dict[str, tuple[Estimate, float]]:
    """Return DCTC minus CTC on the mean of the scene sets: accuracy and NED, with p after Holm.

    Raises:
        ValueError: As :func:`analyse`.
    """
    check_comparable(frame, [study.arm_name(key) for key in study.arms], study.sets)
    check_machines(study, registry)
    found = {
        metric: pooled_difference(run_values(study, frame, metric), "dctc", "ctc", blocked=False)[0]
        for metric in ("accuracy", "ned")
    }
    adjusted = holm([estimate.p for estimate in found.values()])
    return dict(zip(found, zip(found.values(), adjusted, strict=True), strict=True))


class Calibration(NamedTuple):
    """A calibration measure of one confidence, times 100.

    Attributes:
        ctc: Mean over families of CTC's runs.
        dctc: That of DCTC's.
        difference: DCTC minus CTC.
    """

    ctc: float
    dctc: float
    difference: Estimate


def calibration(study: Study, registry: Registry, blocked: bool) -> dict[str, Calibration]:
    """Return each measure of each confidence, by name.

    Args:
        study: The study.
        registry: Holds hits and certainty of each word.
        blocked: Whether a seed is a test fold.
    """
    found = []
    for family, arm, seed, of_set in _records(study, registry):
        if arm in ("ctc", "dctc"):
            measured = pd.DataFrame(_measures(of_set[name], registry) for name in study.sets)
            for which, value in measured.mean().items():
                row = {"family": family, "arm": arm, "block": seed, "value": 100 * value}
                found.append({"which": which, **row})
    measured = {}
    for which, rows in pd.DataFrame(found).groupby("which", sort=False):
        means = rows.groupby(["arm", "family"]).value.mean().groupby("arm").mean()
        difference = pooled_difference(rows.drop(columns="which"), "dctc", "ctc", blocked)[0]
        measured[str(which)] = Calibration(means["ctc"], means["dctc"], difference)
    return measured


def _measures(record: Record, registry: Registry) -> dict[str, float]:
    path, weakest, frames = registry.read_certainty(record)
    hits = registry.read_hits(record)
    logs = dict(zip(CONFIDENCES, (path, path / frames, weakest), strict=True))
    return {
        f"{measure}, {name}": compute(np.exp(log) if measure == "ECE" else log, hits)
        for measure, compute in MEASURES.items()
        for name, log in logs.items()
    }


def _records(
    study: Study, registry: Registry
) -> Iterator[tuple[str, str, int, Mapping[str, Record]]]:
    """Yield family, arm, seed and records by set of each run."""
    latest = registry.latest()
    for key, arm in study.arms.items():
        family, _, name = key.partition("-")
        for seed in arm.seeds:
            if of_set := latest.get((study.arm_name(key), seed)):
                yield family, name, seed, of_set


def check_machines(study: Study, registry: Registry) -> None:
    """Check that all runs of a family and a seed were trained on one kind of machine.

    Raises:
        ValueError: If not; names the runs, which are to be trained again, all arms of them.
    """
    machines: dict[tuple[str, int], set[str]] = {}
    for family, _, seed, of_set in _records(study, registry):
        machines.setdefault((family, seed), set()).update(
            _machine(r.about) for r in of_set.values()
        )
    if mixed := [f"{family}, seed {seed}" for (family, seed), m in machines.items() if len(m) > 1]:
        raise ValueError(
            f"{study.name}: trained on several kinds of machine: {'; '.join(mixed)}; remove the "
            f"lines of all arms of these from {registry.file}, and their folders, and train them "
            f"again on one"
        )


def _machine(about: Mapping[str, Any]) -> str:
    """Return what trained a run: the GPU, or the CPU and its instructions; all CPUs if several."""
    trained = about.get("trained", {})
    every = [trained.get("cpu") or about["cpu"], *trained.get("before", ())]
    cpus = [{name: value for name, value in cpu.items() if name != "threads"} for cpu in every]
    return gpu(about) or ", before on ".join(dict.fromkeys(map(str, cpus)))
