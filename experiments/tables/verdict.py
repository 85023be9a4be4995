"""CTC against DCTC on all test data: the headline, the error breakdown, and the forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from dctc.results.frame import PARTS, per_run, rows_of
from dctc.results.plots import PlotRow, draw_forest
from dctc.results.registry import Registry
from dctc.results.statistics import EXPLAINED, difference_cell, p_cell, seeds_difference
from dctc.studies.search import choices
from dctc.studies.study import Study
from dctc.studies.summary import final, summarize
from dctc.tables import Table
from experiments.studies import load

SIX = "scene words, mean of six real sets"


@dataclass(frozen=True)
class Pair:
    """CTC and DCTC on some test data.

    Attributes:
        label: What rows call it.
        study: The study.
        ctc: Key of the CTC arm.
        dctc: Key of the DCTC arm.
        sets: Names of the sets.
        weight: DCTC's weight.
        condition: Whether the training differs from the others in what the label says.
    """

    label: str
    study: Study
    ctc: str
    dctc: str
    sets: Sequence[str]
    weight: str
    condition: bool = False


def pairs() -> list[Pair]:
    """Return the comparisons of tables 1 to 3, then those of the ablations."""
    models, losses, ablations = load("models"), load("losses"), load("ablations")
    both = ("small_resnet-ctc", "small_resnet-dctc")
    funsd = list(losses.sets)
    found = [
        Pair("FUNSD words", losses, "ctc", "dctc", funsd, "0.1"),
        Pair(SIX, models, *both, models.sets, "0.1"),
        Pair("scene words, rendered", models, *both, ["rendered"], "0.1"),
        Pair("SROIE lines", load("receipts"), *both, ["SROIE"], "0.025"),
        Pair("Chinese lines, rendered", load("chinese"), *both, ["rendered"], "0.01"),
    ]
    for label, key in {
        **{f"{n:,} training words": f"{n}w" for n in (1000, 3000, 10_000)},
        **{f"{n:,} steps": f"{n}s" for n in (1600, 3125, 12_500)},
        "8 frames": "w32",
    }.items():
        arms = (f"ctc-{key}", f"dctc-0.1-{key}")
        found.append(Pair(f"FUNSD, {label}", ablations, *arms, funsd, "0.1", True))
    arms = ("ctc_augmented", "dctc-0.1-augmented")
    found.append(Pair("FUNSD, augmented", ablations, *arms, funsd, "0.1", True))
    return found


def headline_table(frame: pd.DataFrame, registry: Registry) -> Table | None:
    """Return accuracy and NED of both losses on the data of tables 1 to 3; None without any."""
    rows = []
    for pair in pairs():
        found = _compared(pair, frame, registry)
        if found is not None and not pair.condition:
            first, second = found
            cells = [pair.label, pair.weight, f"{second.n:,.0f}", str(second.runs)]
            cells += [f"{first.accuracy:.2f}", f"{second.accuracy:.2f}", difference_cell(second)]
            cells += [p_cell(second.p), f"{first.ned:.2f}", f"{second.ned:.2f}"]
            cells.append(difference_cell(second, "ned_"))
            rows.append([*cells, f"{first.cer:.2f}", f"{second.cer:.2f}"])
    if not rows:
        return None
    columns = ["on", "weight", "n", "runs", "CTC", "DCTC", "difference [95 % CI]", "p"]
    columns += ["CTC NED", "DCTC NED", "NED difference", "CTC CER", "DCTC CER"]
    notes = [f"Percent; CTC has the same number of runs. {EXPLAINED} NED's allows for seeds only."]
    notes.append(
        "One net of 0.6 M parameters, exploratory: [the study of six](../PROTOCOL.md) was fixed "
        "after these results were known."
    )
    return Table("CTC and DCTC on all test data", columns, rows, notes)


def errors_table(frame: pd.DataFrame) -> Table | None:
    """Return substitutions, deletions and insertions of both losses; None without any."""
    frame = final(frame).dropna(subset=list(PARTS))
    for part in PARTS:
        frame[part] = 100 * frame[part] / frame.characters
    rows = []
    for pair in pairs():
        chosen = choices(pair.study, frame) | {"dctc": 0.1}  # the searches have no such counts
        names = [pair.study.arm_name(key, chosen.get(key)) for key in (pair.ctc, pair.dctc)]
        for part in PARTS:
            first, second = (per_run(frame, name, pair.sets, part) for name in names)
            if min(len(first), len(second)) < 1:
                continue
            cells = [pair.label, part, f"{len(first)}, {len(second)}"]
            means = [f"{first.mean():.2f}", f"{second.mean():.2f}"]
            rows.append([*cells, *means, difference_cell(seeds_difference(first, second))])
    if not rows:
        return None
    columns = ["on", "errors", "runs", "CTC", "DCTC", "difference [95 % CI]"]
    notes = [
        "Percent of the labels' characters, of the runs whose records hold the counts (CTC, DCTC). "
        "Of several shortest ways from label to prediction, rapidfuzz's is taken. Difference: t "
        "interval over seeds, standard deviation pooled over both arms. Looked at after the "
        "accuracies were known."
    ]
    return Table("Error breakdown", columns, rows, notes, text_columns=2)


def forest_plot(frame: pd.DataFrame, registry: Registry) -> Figure:
    """Draw DCTC minus CTC in accuracy and NED on all test data and under all conditions."""
    main = [pair for pair in pairs() if not pair.condition]
    conditions = [pair for pair in pairs() if pair.condition]
    rows = []
    for heading, shown, prefix in (
        ("Accuracy (weight of DCTC)", main, ""),
        ("Accuracy, FUNSD, other trainings", conditions, ""),
        ("NED (weight of DCTC)", main, "ned_"),
    ):
        rows.append(PlotRow(heading, heading=True))
        rows += [row for pair in shown if (row := _forest_row(pair, frame, registry, prefix))]
    return draw_forest(rows, "DCTC minus CTC, percentage points (right: DCTC is better)")


def _forest_row(pair: Pair, frame: pd.DataFrame, registry: Registry, prefix: str) -> PlotRow | None:
    found = _compared(pair, frame, registry)
    if found is None:
        return None
    first, second = found
    metric = "ned" if prefix else "accuracy"
    values = per_run(final(frame), second.arm, pair.sets, metric)
    gpus = rows_of(final(frame), second.arm, pair.sets).groupby("seed").gpu.first()
    on_gpu = [bool(gpus[seed]) for seed in values.index]
    interval = [second[f"{prefix}{part}"] for part in ("points", "low", "high")]
    label = f"{pair.label.removeprefix('FUNSD, ')} ({pair.weight})"
    return PlotRow(label, [*(values - first[metric])], on_gpu, *interval)


def _compared(
    pair: Pair, frame: pd.DataFrame, registry: Registry
) -> tuple[pd.Series, pd.Series] | None:
    """Return the rows of both arms; None where one has no runs."""
    arms = pair.study.arms
    keys = [pair.ctc, *(key for key, arm in arms.items() if arm.reference == pair.ctc)]
    found = summarize(pair.study, frame, registry, keys, pair.sets)
    if not {pair.ctc, pair.dctc} <= {*found.index}:
        return None
    return found.loc[pair.ctc], found.loc[pair.dctc]
