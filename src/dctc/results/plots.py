"""Plots of comparisons: a dot for each run, confidence intervals, a band for the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
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
    figure = Figure((_WIDTH, 1.0 + _ROW * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(reference, color=MUTED, linewidth=1.0, zorder=0)
    for y, row in enumerate(rows):
        _dots(axes, y, row, row.values)
        if not np.isnan(row.low):
            mean = float(np.mean(row.values))
            _interval(axes, y, mean, mean + row.low - row.points, mean + row.high - row.points)
        _said(axes, y, row)
    _finish(axes, rows, xlabel, title)
    return figure


def draw_forest(rows: Sequence[PlotRow], xlabel: str, title: str = "") -> Figure:
    """Draw differences with their 95 % intervals around zero, and a dot for each run.

    Args:
        rows: The comparisons; ``values`` are those of runs less the mean of the reference.
        xlabel: Name of the measure, with its unit.
        title: Heading.
    """
    figure = Figure((_WIDTH, 1.0 + _ROW * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color=MUTED, linewidth=1.0, zorder=0)
    for y, row in enumerate(rows):
        if row.heading:
            continue
        _dots(axes, y, row, row.values)
        _interval(axes, y, row.points, row.low, row.high)
        _said(axes, y, row)
    _finish(axes, rows, xlabel, title)
    return figure


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


def _dots(axes: Axes, y: int, row: PlotRow, values: Sequence[float]) -> None:
    for on_gpu, marker, colour in ((False, "o", CPU_COLOUR), (True, "^", GPU_COLOUR)):
        shown = [v for v, g in zip(values, row.on_gpu, strict=True) if g == on_gpu]
        style: dict[str, Any] = {"markersize": 4.5, "alpha": 0.65, "markeredgewidth": 0}
        axes.plot(shown, [y + 0.18] * len(shown), marker, color=colour, clip_on=True, **style)


def _interval(axes: Axes, y: int, middle: float, low: float, high: float) -> None:
    axes.plot([low, high], [y - 0.12, y - 0.12], color=INK, linewidth=1.6, solid_capstyle="butt")
    axes.plot([middle], [y - 0.12], "|", color=INK, markersize=9, markeredgewidth=2)


def _said(axes: Axes, y: int, row: PlotRow) -> None:
    if np.isnan(row.points):
        return
    text = difference_cell({"points": row.points, "low": row.low, "high": row.high})
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center"}
    axes.annotate(text, (1.01, y), **place, fontsize=8, family="monospace")


def _finish(axes: Axes, rows: Sequence[PlotRow], xlabel: str, title: str) -> None:
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
    handles = [_key("o", CPU_COLOUR, "run (CPU)")]
    if any(any(row.on_gpu) for row in rows):
        handles.append(_key("^", GPU_COLOUR, "run (GPU)"))
    handles.append(Line2D([], [], color=INK, linewidth=1.6, label="mean, 95 % CI"))
    axes.figure.legend(
        handles=handles, loc="outside lower right", ncols=3, fontsize=8, frameon=False
    )


def _key(marker: str, colour: str, label: str) -> Line2D:
    style: dict[str, Any] = {"linestyle": "", "markersize": 4.5, "markeredgewidth": 0}
    return Line2D([], [], marker=marker, color=colour, label=label, **style)
