"""Plots of comparisons: a dot for each run, confidence intervals, a band for the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dctc.files import replacing
from dctc.results.statistics import difference_cell

INK, MUTED, BAND = "#222222", "#777777", "#E4E4E4"
CPU_COLOUR, GPU_COLOUR = "#0072B2", "#D55E00"  # Okabe and Ito's blue and vermilion
_ROW = 0.3  # inches
_WIDTH = 7.2
_FAR = 8  # times the median distance from the reference; arms beyond it lie outside of the axis
_ARROW: dict[str, Any] = {"color": INK, "markersize": 6, "markeredgewidth": 0, "clip_on": False}


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
        marker: Of the mean: a stroke, or ``D`` for a diamond.
    """

    label: str
    values: Sequence[float] = ()
    on_gpu: Sequence[bool] = ()
    points: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    heading: bool = False
    marker: str = "|"


def draw_runs(
    rows: Sequence[PlotRow],
    reference: Sequence[float],
    xlabel: str,
    title: str = "",
    name: str = "the reference",
) -> Figure:
    """Draw each run as a dot, and each arm's mean with the 95 % interval of its difference.

    Arms far from all others lie outside of the axis; an arrow points to them.

    Args:
        rows: The arms.
        reference: Values of the reference's runs: a band over them, and a line at their mean.
        xlabel: Name of the measure, with its unit.
        title: Heading.
        name: Name of the reference; arms may be compared with others too.
    """
    middle = float(np.mean(reference))
    means = np.array([np.mean(row.values) for row in rows])
    near = _near(rows)
    shown = [*reference]
    for row, mean, is_near in zip(rows, means, near, strict=True):
        ends = [mean + end - row.points for end in (row.low, row.high) if not np.isnan(end)]
        shown += [*row.values, *ends] if is_near else []
    figure, axes = _axes(rows, shown, middle)
    axes.axvspan(min(reference), max(reference), color=CPU_COLOUR, alpha=0.12, linewidth=0)
    for y, (row, mean) in enumerate(zip(rows, means, strict=True)):
        _row(axes, y, row, mean)
    band = Patch(color=CPU_COLOUR, alpha=0.12, linewidth=0, label=f"runs of {name}")
    _finish(axes, rows, xlabel, title, [band])
    return figure


def draw_forest(rows: Sequence[PlotRow], xlabel: str, run: str = "run") -> Figure:
    """Draw differences with their 95 % intervals around zero, and a dot for each run.

    Intervals wider than all runs together, and differences far from all others, are cut off; an
    arrow says so.

    Args:
        rows: The comparisons; ``values`` are differences of single runs.
        xlabel: Name of the measure, with its unit.
        run: What a dot stands for.
    """
    values = [value for row in rows for value in row.values]
    near = [row for row, near in zip(rows, _near(rows), strict=True) if near]
    shown = values or [end for row in near for end in (row.low, row.high)]
    figure, axes = _axes(rows, [0.0, *shown], 0.0)
    for y, row in enumerate(rows):
        if not row.heading:
            _row(axes, y, row, row.points)
    _finish(axes, rows, xlabel, run=run)
    return figure


def save_figure(figure: Figure, file: Path, metadata: Mapping[str, str] | None = None) -> Path:
    """Write a PNG or an SVG: the same bytes for the same figure.

    Args:
        figure: What to write.
        file: Where to, with the suffix of the format; its folder is created.
        metadata: Text fields of a PNG.
    """
    with replacing(file) as partial, mpl.rc_context({"svg.hashsalt": "dctc"}):
        if file.suffix == ".png":
            figure.savefig(partial, dpi=150, metadata=dict(metadata or {}))
        else:
            figure.savefig(partial, metadata={"Date": None})
    return file


def _near(rows: Sequence[PlotRow]) -> np.ndarray:
    """Return which rows are not far from all others."""
    away = np.abs([0.0 if np.isnan(row.points) else row.points for row in rows])
    return np.asarray(away <= _FAR * np.median(away[away > 0]) if away.any() else away == 0)


def _axes(rows: Sequence[PlotRow], shown: Sequence[float], middle: float) -> tuple[Figure, Axes]:
    """Return axes that hold these values, with a line at the reference's mean."""
    figure = Figure((_WIDTH, 1.0 + _ROW * len(rows)), layout="constrained")
    axes = figure.subplots()
    space = 0.05 * (max(shown) - min(shown)) or 1.0  # where all runs are equal
    axes.set_xlim(min(shown) - space, max(shown) + space)
    axes.axvline(middle, color=MUTED, linewidth=1.0, zorder=0)
    return figure, axes


def _row(axes: Axes, y: int, row: PlotRow, mean: float) -> None:
    """Draw the runs of a row below its interval around the mean, and the difference beside it."""
    for on_gpu, marker, colour in ((False, "o", CPU_COLOUR), (True, "^", GPU_COLOUR)):
        values = [v for v, g in zip(row.values, row.on_gpu, strict=True) if g == on_gpu]
        style: dict[str, Any] = {"markersize": 4.5, "alpha": 0.65, "markeredgewidth": 0}
        axes.plot(values, [y + 0.2] * len(values), marker, color=colour, **style)
    least, most = axes.get_xlim()
    if not least < mean < most:
        axes.plot([least if mean < least else most], [y], "<" if mean < least else ">", **_ARROW)
    elif not np.isnan(row.points):
        low, high = mean + row.low - row.points, mean + row.high - row.points
        axes.plot(
            np.clip([low, high], least, most),
            [y - 0.12] * 2,
            color=INK,
            linewidth=1.6,
            solid_capstyle="butt",
        )
        size, width = (9, 2) if row.marker == "|" else (5.5, 0)
        axes.plot([mean], [y - 0.12], row.marker, color=INK, markersize=size, markeredgewidth=width)
        for end, edge, marker in ((low, least, "<"), (high, most, ">")):
            if (end < edge) if marker == "<" else (end > edge):
                inside = edge + (most - least) * (0.008 if edge == least else -0.008)
                axes.plot([inside], [y - 0.12], marker, **_ARROW)
    if not np.isnan(row.points):
        text = difference_cell({"points": row.points, "low": row.low, "high": row.high})
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "va": "center"}
        axes.annotate(text, (1.02, y), **place, fontsize=8, family="monospace")


def _finish(
    axes: Axes,
    rows: Sequence[PlotRow],
    xlabel: str,
    title: str = "",
    more: Sequence[Artist] = (),
    run: str = "run",
) -> None:
    axes.set_yticks(range(len(rows)), [row.label for row in rows], fontsize=8.5)
    for y, (label, row) in enumerate(zip(axes.get_yticklabels(), rows, strict=True)):
        label.set_fontweight("bold" if row.heading else "normal")
        if y % 2 and not row.heading:
            axes.axhspan(y - 0.5, y + 0.5, color=BAND, alpha=0.35, linewidth=0, zorder=-1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(xlabel, fontsize=9)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_title(title, fontsize=10, loc="left")
    on_gpu = {gpu for row in rows for gpu in row.on_gpu}
    kinds = ((False, "o", CPU_COLOUR, "CPU"), (True, "^", GPU_COLOUR, "GPU"))
    handles = [_key(m, colour, f"{run} ({on})") for gpu, m, colour, on in kinds if gpu in on_gpu]
    handles.append(
        Line2D([], [], color=INK, linewidth=1.6, label="mean, 95 % CI of the difference")
    )
    axes.figure.legend(
        handles=[*handles, *more], loc="outside lower right", ncols=4, fontsize=8, frameon=False
    )


def _key(marker: str, colour: str, label: str) -> Line2D:
    style: dict[str, Any] = {"linestyle": "", "markersize": 4.5, "markeredgewidth": 0}
    return Line2D([], [], marker=marker, color=colour, label=label, **style)
