"""Tables and plots of experiments/PROTOCOL.md, drawn when all runs of a study are there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from dctc.data.english import REAL_TRAIN_WORDS
from dctc.results.plots import PlotRow, draw_forest
from dctc.results.registry import Registry
from dctc.results.statistics import difference_cell, p_cell
from dctc.studies.layouts import Drawn
from dctc.studies.study import Study
from dctc.tables import Table
from experiments.tables.across_models import (
    Calibration,
    analyse,
    analyse_scenes,
    calibration,
    decide,
    of_blocks,
    run_values,
)
from experiments.tables.families import Estimate, pooled_difference

FOLDS = "protocol"  # name of the study of FUNSD words in folds; the other one is of scene words
TITLES = {"ctc": "CTC", "dctc": "DCTC", "confidence_penalty": "confidence penalty"}
CALIBRATION_NOTE = (
    "Expected calibration error and area under the risk-coverage curve: the lower, the better. "
    "Confidence of a word: probability of its best path; the geometric mean of that over frames; "
    "the lowest probability of a character at its most probable frame."
)
NOTE = "Percent and points, two-sided 95 % t intervals; see experiments/PROTOCOL.md."


def draw_families(study: Study, frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the tables and plots of a study of the protocol, all runs of which are there.

    Args:
        study: One of its two studies.
        frame: From :func:`dctc.results.frame.read_frame`.
        registry: Where hits and certainty of single words lie.

    Raises:
        ValueError: As :func:`experiments.tables.across_models.analyse`.
    """
    folds = study.name == FOLDS
    named = _further(study, frame, registry)
    values = run_values(study, frame)
    pooled, families = pooled_difference(values, "dctc", "ctc", blocked=folds)
    table, plot = draw_calibration(study.title, calibration(study, registry, blocked=folds))
    tables = {
        study.name: _by_family(study, values, families, pooled),
        f"{study.name}-further": estimates_table(
            f"{study.title}: {'further' if folds else 'primary'} results", named
        ),
        f"{study.name}-calibration": table,
    }
    figures = {
        study.name: _forest(values, study, families, pooled),
        f"{study.name}-calibration": plot,
    }
    return tables, figures


def draw_calibration(title: str, measured: Mapping[str, Calibration]) -> tuple[Table, Figure]:
    """Return table and plot of :func:`experiments.tables.across_models.calibration`."""
    rows = [
        [name, f"{of.ctc:.2f}", f"{of.dctc:.2f}", _cell(of.difference)]
        for name, of in measured.items()
    ]
    columns = ["measure, confidence", "CTC", "DCTC", "DCTC minus CTC [95 % CI]"]
    heading = f"{title}: calibration, times 100"
    plotted = [
        PlotRow(name, [], [], *of.difference[:3], marker="D") for name, of in measured.items()
    ]
    plot = draw_forest(plotted, "DCTC minus CTC, times 100 (lower is better)")
    return Table(heading, columns, rows, [CALIBRATION_NOTE, NOTE]), plot


def _further(
    study: Study, frame: pd.DataFrame, registry: Registry
) -> dict[str, tuple[Estimate, float | None]]:
    """Return the results beside the primary one, with p after Holm where they have one."""
    if study.name != FOLDS:
        scenes = analyse_scenes(study, frame, registry)
        renamed = {"accuracy": "accuracy, DCTC minus CTC", "ned": "NED, DCTC minus CTC"}
        named: dict[str, tuple[Estimate, float | None]] = {}
        named |= {renamed[name]: result for name, result in scenes.items()}
        named |= _without_one(study, run_values(study, frame), blocked=False)
        arms = [study.arm_name(key) for key in study.arms]
        if not ((frame.set == REAL_TRAIN_WORDS) & frame.arm.isin(arms)).any():
            return named  # not there where they were tested
        words = run_values(replace(study, sets=(REAL_TRAIN_WORDS,)), frame)
        beside = pooled_difference(words, "dctc", "ctc", blocked=False)[0]
        return {**named, "accuracy on real training words": (beside, None)}
    found = analyse(study, frame, registry)
    tau, low, high = found.random[1:]
    spread = f"random-effects mean (tau {tau:.2f}, prediction [{low:+.2f},{high:+.2f}])"
    renamed = {"NED": "NED, DCTC minus CTC", "random-effects mean": spread}
    renamed["minus confidence penalty"] = "DCTC minus confidence penalty"
    named = {renamed[name]: result for name, result in found.secondary.items()}
    values = run_values(study, frame)
    gained = pooled_difference(values, "confidence_penalty", "ctc", blocked=True)[0]
    named["confidence penalty minus CTC (looked at afterwards)"] = (gained, None)
    without = _without_one(study, values, blocked=True)
    return {**named, "folds as units": (found.folds, None), **without}


def _without_one(
    study: Study, values: pd.DataFrame, blocked: bool
) -> dict[str, tuple[Estimate, float | None]]:
    """Return differences without the family whose difference to CTC is largest, up or down."""
    families = pooled_difference(values, "dctc", "ctc", blocked)[1]
    largest = max(families, key=lambda family: abs(families[family].points))
    others = values[values.family != largest]
    return {
        f"without {_title(study, largest)}, DCTC minus {TITLES[arm]} (looked at afterwards)": (
            pooled_difference(others, "dctc", arm, blocked)[0],
            None,
        )
        for arm in values.arm.unique()
        if arm != "dctc"
    }


def _by_family(
    study: Study, values: pd.DataFrame, families: Mapping[str, Estimate], pooled: Estimate
) -> Table:
    means = values.pivot_table(index="family", columns="arm", values="value")
    arms = [*values.arm.unique()]
    rows = [
        [_title(study, family), *(f"{means[arm][family]:.2f}" for arm in arms), _cell(estimate)]
        for family, estimate in families.items()
    ]
    rows.append(["all families", *(f"{means[arm].mean():.2f}" for arm in arms), _cell(pooled)])
    columns = ["net", *(TITLES[arm] for arm in arms), "DCTC minus CTC [95 % CI]"]
    notes = [said(decide(pooled.low, pooled.high)), NOTE]
    if study.name == FOLDS:
        columns.append("folds as units")
        for row, family in zip(rows, [*families], strict=False):
            row.append(_interval(of_blocks(values[values.family == family])))
        rows[-1].append(_interval(of_blocks(values)))
        runs = values.block.nunique()
        sd = pooled.error * (runs * len(families) / 2) ** 0.5
        notes.append(
            f"Intervals of differences use one standard deviation, pooled within family and arm: "
            f"{sd:.2f} points. Folds as units: the interval of the {runs} differences alone."
        )
    return Table(f"{study.title}: word accuracy", columns, rows, notes)


def _interval(estimate: Estimate) -> str:
    return f"[{estimate.low:+.2f},{estimate.high:+.2f}]"


def said(verdict: str) -> str:
    """Return the verdict of the decision rule as a sentence."""
    result = "the result is inconclusive" if verdict == "inconclusive" else f"DCTC {verdict}"
    return f"By the decision rule, {result}."


def estimates_table(title: str, named: Mapping[str, tuple[Estimate, float | None]]) -> Table:
    """Return a table of differences by name, each with its p after Holm, where it has one."""
    rows = [
        [name, _cell(estimate), f"{estimate.freedom:.3g}", "" if p is None else p_cell(p)]
        for name, (estimate, p) in named.items()
    ]
    columns = ["what", "difference [95 % CI]", "degrees of freedom", "p after Holm"]
    return Table(title, columns, rows, [NOTE])


def _forest(
    values: pd.DataFrame, study: Study, families: Mapping[str, Estimate], pooled: Estimate
) -> Figure:
    """Draw a dot for each seed's difference, and diamonds for families and for all of them."""
    wide = values.pivot(index=["family", "block"], columns="arm", values="value")
    gains = wide["dctc"] - wide["ctc"]
    rows = [
        PlotRow(_title(study, family), [*gains[family]], [False] * len(gains[family]), *e[:3])
        for family, e in families.items()
    ]
    rows.append(PlotRow("all families", [], [], *pooled[:3]))
    rows = [replace(row, marker="D") for row in rows]
    run = "a test fold" if study.name == FOLDS else "a seed"
    return draw_forest(rows, "DCTC minus CTC, percentage points of word accuracy", run)


def _title(study: Study, family: str) -> str:
    return study.arms[f"{family}-ctc"].title.partition(",")[0]


def _cell(estimate: Estimate) -> str:
    return difference_cell(estimate._asdict())
