"""Training curves: the metrics that a run logged, read from its files and drawn."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.figures import COLOURS

FEW_POINTS = 16  # curves of fewer points get markers; of one point there is no line to see
MANY_POINTS = 100  # curves of that many are smoothed

Curve = tuple[list[int], list[float]]  # steps and values


class Panel(NamedTuple):
    """One panel of curves.

    Attributes:
        metric: Column of ``metrics.csv``.
        title: Heading.
        unit: Label of the vertical axis.
        log: Whether the vertical axis is logarithmic.
    """

    metric: str
    title: str
    unit: str
    log: bool = False


def read_metrics(folder: Path) -> dict[str, Curve]:
    """Read the metrics of a run: ``metrics.<i>.csv`` of earlier parts, then ``metrics.csv``.

    Where parts overlap, because a run was resumed from a checkpoint, the later one counts. An
    incomplete last line, of a run that was killed, is skipped.
    """
    parts = sorted(folder.glob("metrics.[0-9]*.csv"), key=lambda path: int(path.suffixes[0][1:]))
    return read_parts([*parts, folder / "metrics.csv"])


def read_parts(parts: Sequence[Path]) -> dict[str, Curve]:
    """Read files of metrics; later ones count where they overlap, missing ones are skipped."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for part in parts:
        if not part.exists():
            continue
        text = part.read_text()
        for row in csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])):
            for name, value in row.items():
                if value and name not in ("step", "epoch"):
                    values[name][int(row["step"])] = float(value)
    return {name: (sorted(v), [v[step] for step in sorted(v)]) for name, v in values.items()}


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """Return the mean of each value and its neighbours, ``reach`` to each side at most.

    Example:
        >>> running_mean([0.0, 3.0, 6.0, 9.0], reach=1)
        [1.5, 3.0, 6.0, 7.5]
    """
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [float(np.mean(window)) for window in windows]


def style_axes(axes: Axes) -> None:
    """Give axes over training steps a grid, round ticks and no frame."""
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def draw_curves(arms: Mapping[str, Mapping[str, Curve]], panels: Sequence[Panel]) -> Figure:
    """Draw one line per arm in each panel that any arm has a curve for; at most seven arms."""
    panels = [p for p in panels if any(p.metric in curves for curves in arms.values())]
    figure = Figure(figsize=(3.6 * len(panels), 3.4), layout="constrained")
    lines = {}
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for (name, curves), colour in zip(arms.items(), COLOURS[: len(arms)], strict=True):
            if panel.metric in curves:
                steps, values = curves[panel.metric]
                if len(steps) >= MANY_POINTS:  # single batches are noisy: pale below their mean
                    axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.25)
                    values = running_mean(values, len(values) // 20)
                marker = "o" if len(steps) < FEW_POINTS else None
                (lines[name],) = axes.plot(
                    steps, values, color=colour, linewidth=1.6, marker=marker, markersize=4
                )
        axes.set(title=panel.title, xlabel="step", ylabel=panel.unit)
        style_axes(axes)
        if panel.log:
            axes.set_yscale("log")
    names = [name for name in arms if name in lines]
    handles = [lines[name] for name in names]
    figure.legend(handles, names, frameon=False, loc="outside upper center", ncols=len(names))
    return figure
