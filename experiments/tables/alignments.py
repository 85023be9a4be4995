"""Alignments of trained nets, and validation accuracy during training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dctc.results.plots import BAND, CPU_COLOUR, GPU_COLOUR, INK
from dctc.runs.folder import marked
from dctc.studies.search import choices
from dctc.studies.study import Study
from dctc.studies.summary import final
from dctc.tables import Table
from experiments.figures.curves import read_metrics, read_parts

SHARES = ("aacc_label", "viterbi_agreement", "blank_share", "greedy_blank_share")
METRIC = "val/accuracy"


def alignment_table(study: Study, frame: pd.DataFrame, on: str) -> Table | None:
    """Return how the nets of a study align the labels of a set; None without results."""
    rows, finals = [], final(frame)
    for key, value in choices(study, frame).items():
        of_arm = finals[(finals.arm == study.arm_name(key, value)) & (finals.set == on)]
        if found := [alignment for alignment in of_arm.alignment if alignment]:
            title = study.arms[key].title
            title = title if value is None or str(value) in title else f"{title} {value}"
            cells = [over_runs([100 * one[name] for one in found], 2) for name in SHARES]
            entropy = over_runs([one["frame_entropy"] for one in found], 4)
            rows.append([title, str(len(found)), *cells, entropy])
    if not rows:
        return None
    note = (
        f"Mean ± standard deviation over runs on {on}, with the likelihood estimate z* for every "
        "net. Percent: aacc_label, words whose collapsed z* is the label; viterbi_agreement and "
        "blank_share, frames where z* is the Viterbi alignment, and blank; greedy_blank_share, "
        "frames that the net reads as blank. frame_entropy: nats per frame."
    )
    columns = ["trained with", "runs", *SHARES, "frame_entropy"]
    return Table(f"{study.title}: alignments on {on}", columns, rows, [note])


def over_runs(values: Sequence[float] | np.ndarray, digits: int) -> str:
    """Return the mean of some runs, and their standard deviation if there are several."""
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def validation_curves(
    study: Study, frame: pd.DataFrame, results: Path, keys: Sequence[str], on: str
) -> pd.DataFrame:
    """Return the validation accuracy of arms during training, in percent.

    The runs, in a folder of runs or of published results, are found by their records on a set.

    Returns:
        One row for each arm, seed and step: ``title``, ``seed``, ``steps``, ``accuracy``.
    """
    rows, finals = [], final(frame)
    chosen = choices(study, frame)
    for key in keys:
        of_arm = finals.arm == study.arm_name(key, chosen.get(key))
        for run in finals[of_arm & (finals.set == on)].itertuples():
            curve = _curve(results, run)
            title = study.arms[key].title
            rows += [(title, run.seed, step + 1, 100 * value) for step, value in curve.items()]
    return pd.DataFrame(rows, columns=["title", "seed", "steps", "accuracy"])


def curves_table(curves: pd.DataFrame, title: str) -> Table | None:
    """Return mean and spread over runs at each validated step; None without curves."""
    if curves.empty:
        return None
    table = curves.groupby(["steps", "title"]).accuracy.apply(list)
    titles = list(dict.fromkeys(curves.title))
    rows = []
    for steps in sorted({*curves.steps}):
        if all((steps, name) in table.index for name in titles):
            rows.append([f"{steps:,}", *(over_runs(table[steps, name], 2) for name in titles)])
    sizes = ", ".join(f"{name}: {table.xs(name, level=1).map(len).max()}" for name in titles)
    note = f"Percent of the validation words, mean ± standard deviation over runs ({sizes})."
    return Table(title, ["steps", *titles], rows, [note])


def curves_plot(curves: pd.DataFrame, title: str) -> Figure:
    """Draw the mean over runs with a band from the least to the greatest."""
    figure = Figure((6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(curves.title))
    for name, colour in zip(names, (INK, GPU_COLOUR, CPU_COLOUR), strict=False):
        of = curves[curves.title == name].groupby("steps").accuracy
        mean, least, most = of.mean(), of.min(), of.max()
        axes.fill_between(mean.index, least, most, color=colour, alpha=0.15, linewidth=0)
        axes.plot(mean.index, mean, marker="o", markersize=3.5, color=colour, label=name)
    axes.set(xlabel="optimizer steps", ylabel="accuracy on validation words, percent")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_title(title, fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=BAND)
    axes.legend(frameon=False, loc="lower right", title="mean; band: all runs", title_fontsize=8)
    return figure


def _curve(results: Path, run: object) -> dict[int, float]:
    """Return the validation accuracy of a run by step; empty if it has no curve there."""
    key, arm, seed = (getattr(run, name) for name in ("run", "arm", "seed"))
    curves = read_parts([results / "metrics" / f"{key}.csv"])  # published
    folder = results / arm / f"seed{seed}"
    if not curves and marked(folder) == key:
        curves = read_metrics(folder)
    return dict(zip(*curves.get(METRIC, ([], [])), strict=True))
