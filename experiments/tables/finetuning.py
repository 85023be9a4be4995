"""Analysis and tables of the fine-tuning study of experiments/PROTOCOL.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from dctc.results.plots import PlotRow, draw_forest
from dctc.results.registry import Registry
from dctc.results.statistics import check_comparable, difference_cell
from dctc.studies.layouts import Drawn
from dctc.studies.study import Study
from dctc.tables import Table
from experiments.tables.across_models import (
    Calibration,
    calibration,
    check_machines,
    decide,
    run_values,
)
from experiments.tables.families import Estimate, holm, pooled_difference, t_estimate
from experiments.tables.families_table import NOTE, draw_calibration, estimates_table, said

STUDY = "finetune"
TRAINED = ("ctc", "dctc", "confidence_penalty")
ZERO_SHOT = "zero_shot"
FORGOTTEN = "IIIT5K"  # tested, but not trained on


class Analysis(NamedTuple):
    """What the protocol asks for, in points.

    Attributes:
        primary: Accuracy of DCTC minus CTC, the mean over kinds of data.
        verdict: By the decision rule.
        kinds: The same of each kind of data.
        secondary: By name: estimate, and p after Holm.
    """

    primary: Estimate
    verdict: str
    kinds: dict[str, Estimate]
    secondary: dict[str, tuple[Estimate, float]]


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent differences; degrees of freedom are Satterthwaite's."""
    variances = np.array([e.error**2 for e in estimates])
    of = np.array([e.freedom for e in estimates])
    squares = (variances**2 / of).sum()
    freedom = variances.sum() ** 2 / squares if squares else of.sum()
    error = np.sqrt(variances.sum()) / len(estimates)
    return t_estimate(float(np.mean([e.points for e in estimates])), float(error), float(freedom))


def has_folds(study: Study) -> bool:
    """Tell whether seeds are test folds of a study, and not only orders of the training words."""
    return all(name.endswith("_fold") for name in study.sets)


def difference(study: Study, values: pd.DataFrame, reference: str = "ctc") -> Estimate:
    """Return DCTC minus another trained arm, see :func:`pooled_difference`.

    Args:
        study: A study of one kind of data.
        values: Its :func:`run_values`.
        reference: The other arm.
    """
    trained = values[values.arm.isin(TRAINED)]
    return pooled_difference(trained, "dctc", reference, has_folds(study))[0]


def analyse(studies: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Analysis:
    """Return the primary and secondary results of fine-tuning.

    Args:
        studies: One for each kind of data.
        frame: Results of all their runs.
        registry: Where their records lie.

    Raises:
        ValueError: If a run is missing, test words or steps differ, or the arms of a kind of data
            and a seed were trained on several kinds of machine.
    """
    kinds: dict[str, Estimate] = {}
    others: dict[str, list[Estimate]] = {"minus confidence penalty": [], "NED": [], FORGOTTEN: []}
    for study in studies:
        arms = [study.arm_name(key) for key in study.arms if not key.endswith(ZERO_SHOT)]
        check_comparable(frame, arms, list(dict.fromkeys((*study.sets, FORGOTTEN))))
        check_machines(study, registry)
        values = run_values(study, frame)
        kinds[study.output] = difference(study, values)
        others["minus confidence penalty"].append(difference(study, values, "confidence_penalty"))
        others["NED"].append(difference(study, run_values(study, frame, "ned")))
        if FORGOTTEN not in study.sets:
            elsewhere = run_values(replace(study, sets=(FORGOTTEN,)), frame)
            others[FORGOTTEN].append(difference(study, elsewhere))
    means = {name: mean_of(estimates) for name, estimates in others.items()}
    adjusted = holm([estimate.p for estimate in means.values()])
    primary = mean_of([*kinds.values()])
    return Analysis(
        primary,
        decide(primary.low, primary.high),
        kinds,
        dict(zip(means, zip(means.values(), adjusted, strict=True), strict=True)),
    )


def draw_finetuning(studies: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the tables and plots of fine-tuning, all runs of which are there.

    Args:
        studies: One for each kind of data.
        frame: From :func:`dctc.results.frame.read_frame`.
        registry: Where hits and certainty of single words lie.

    Raises:
        ValueError: As :func:`analyse`.
    """
    found = analyse(studies, frame, registry)
    measured = [calibration(study, registry, has_folds(study)) for study in studies]
    means = {
        which: Calibration(
            float(np.mean([of[which].ctc for of in measured])),
            float(np.mean([of[which].dctc for of in measured])),
            mean_of([of[which].difference for of in measured]),
        )
        for which in measured[0]
    }
    table, plot = draw_calibration("Fine-tuning", means)
    tables = {
        STUDY: _by_kind(studies, frame, found),
        f"{STUDY}-further": estimates_table(
            "Fine-tuning: further results, means over kinds of data",
            {
                "DCTC minus confidence penalty": found.secondary["minus confidence penalty"],
                "NED, DCTC minus CTC": found.secondary["NED"],
                "IIIT5K after documents, DCTC minus CTC": found.secondary[FORGOTTEN],
            },
        ),
        f"{STUDY}-calibration": table,
    }
    rows = []
    for study in studies:
        wide = run_values(study, frame).pivot(index="block", columns="arm", values="value")
        gains = (wide["dctc"] - wide["ctc"]).tolist()
        interval = found.kinds[study.output][:3]
        rows.append(PlotRow(_title(study), gains, [False] * len(gains), *interval, marker="D"))
    rows.append(PlotRow("mean", [], [], *found.primary[:3], marker="D"))
    figures = {
        STUDY: draw_forest(
            rows, "DCTC minus CTC, percentage points of word accuracy", "a test fold or seed"
        ),
        f"{STUDY}-calibration": plot,
    }
    return tables, figures


def _by_kind(studies: Sequence[Study], frame: pd.DataFrame, found: Analysis) -> Table:
    arms = {ZERO_SHOT: "zero-shot", "ctc": "CTC", "dctc": "DCTC", "confidence_penalty": "penalty"}
    rows, worse = [], []
    for study in studies:
        shown = {_title(study): (study.sets, difference_cell(found.kinds[study.output]._asdict()))}
        sets = (FORGOTTEN,) if FORGOTTEN not in study.sets else study.sets
        shown |= {f"{_title(study)}: {name}": ((name,), "") for name in sets}
        for title, (names, cell) in shown.items():
            means = run_values(replace(study, sets=names), frame).groupby("arm").value.mean()
            rows.append([title, *(f"{means[arm]:.2f}" for arm in arms), cell])
            fewer = [arms[arm] for arm in TRAINED if means[arm] < means[ZERO_SHOT]]
            worse += [f"{title} ({', '.join(fewer)})"] if fewer else []
    rows.append(["mean over kinds", "", "", "", "", difference_cell(found.primary._asdict())])
    columns = ["trained and tested on", *arms.values(), "DCTC minus CTC [95 % CI]"]
    title = "Fine-tuning of PP-OCRv6 small: word accuracy"
    notes = [
        said(found.verdict),
        f"Fewer words than zero-shot: {'; '.join(worse) or 'nowhere'}.",
        f"{FORGOTTEN} is padded to 640 pixels by nets of SROIE lines, to 320 by the others. {NOTE}",
    ]
    return Table(title, columns, rows, notes)


def _title(study: Study) -> str:
    return study.title.partition(", ")[2]
