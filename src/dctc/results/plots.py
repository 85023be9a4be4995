"""Plots of comparisons: a dot for each run, confidence intervals, a band for the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dctc.results.statistics import difference_cell

INK, MUTED, BAND = "#222222", "#777777", "#E4E4E4"
CPU_COLOUR, GPU_COLOUR = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion
_ROW = 0.3  # inches
_WIDTH = 7.2


@dataclass(frozen=True)
class PlotRow:
    """A row of a plot.

    Attributes:
        label: What stands at its left.
        values: One for each run.
        on_gpu: Whether each run was trained on a GPU; those are drawn as triangles.
        points: Difference to the reference; NaN for the reference itself.
        low: Lower end of its 95 % interval.
        high: Upper end.
        heading: Whether it is a heading, without anything beside it.
    """

    label: str
    values: Sequence[float] = ()
    on_gpu: Sequence[bool] = ()
    points: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    heading: bool = False


def draw_runs(rows: Sequence[PlotRow], reference: float, xlabel: str, title: str = "") -> Figure:
    """Draw each run as a dot, and where the 95 % interval of the difference puts the arm's mean.

    Args:
        rows: The arms.
        reference: Mean of the reference, at which a line stands.
        xlabel: Name of the measure, with its unit.
        title: Heading.
    """
    return _draw(rows, reference, xlabel, title, means=True)


def draw_forest(rows: Sequence[PlotRow], xlabel: str, title: str = "") -> Figure:
    """Draw differences with their 95 % intervals around zero, and a dot for each run.

    Args:
        rows: The comparisons; ``values`` are those of runs less the mean of the reference.
        xlabel: Name of the measure, with its unit.
        title: Heading.
    """
    return _draw(rows, 0.0, xlabel, title, means=False)


def save_figure(figure: Figure, file: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a PNG or an SVG: the same bytes for the same figure.

    Args:
        figure: What to write.
        file: Where to, with the suffix of the format; its folder is created.
        metadata: Text fields of a PNG.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".png":
        figure.savefig(file, dpi=150, metadata=dict(metadata or {}))
    else:
        with mpl.rc_context({"svg.hashsalt": "dctc"}):
            figure.savefig(file, metadata={"Date": None})
    return file


def _draw(rows: Sequence[PlotRow], line: float, xlabel: str, title: str, means: bool) -> Figure:
    """Draw rows of dots and intervals.

    Args:
        rows: What is drawn.
        line: Where the reference's vertical line stands.
        xlabel: Name of the measure, with its unit.
        title: Heading.
        means: Whether an interval is that of the mean of the dots, or that of the difference.
    """
    figure = Figure((_WIDTH, 1.0 + _ROW * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(line, color=MUTED, linewidth=1.0, zorder=0)
    dot: dict[str, Any] = {"linestyle": "", "markersize": 4.5, "markeredgewidth": 0}
    kinds = {False: ("o", CPU_COLOUR, "run (CPU)"), True: ("^", GPU_COLOUR, "run (GPU)")}
    for y, row in enumerate(rows):
        if row.heading:
            continue
        for gpu, (marker, colour, _) in kinds.items():
            shown = [v for v, g in zip(row.values, row.on_gpu, strict=True) if g == gpu]
            axes.plot(
                shown, [y + 0.18] * len(shown), marker=marker, color=colour, alpha=0.65, **dot
            )
        if not (means and np.isnan(row.low)):
            middle = float(np.mean(row.values)) if means else row.points
            ends = [middle + row.low - row.points, middle + row.high - row.points]
            axes.plot(ends, [y - 0.12] * 2, color=INK, linewidth=1.6, solid_capstyle="butt")
            axes.plot([middle], [y - 0.12], "|", color=INK, markersize=9, markeredgewidth=2)
        if not np.isnan(row.points):
            text = difference_cell({"points": row.points, "low": row.low, "high": row.high})
            place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center"}
            axes.annotate(text, (1.01, y), **place, fontsize=8, family="monospace")
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=8.5)
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.heading else "normal")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(xlabel, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    for y in range(0, len(rows), 2):
        axes.axhspan(y - 0.5, y + 0.5, color=BAND, alpha=0.35, linewidth=0, zorder=-1)
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    known = {False, *(gpu for row in rows for gpu in row.on_gpu)}
    handles = [
        Line2D([], [], marker=marker, color=colour, label=label, **dot)
        for gpu, (marker, colour, label) in kinds.items()
        if gpu in known
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1.6, label="mean, 95 % CI"))
    figure.legend(handles=handles, loc="outside lower right", ncols=3, fontsize=8, frameon=False)
    return figure
