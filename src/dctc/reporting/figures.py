"""Figures: training curves and sheets of readings."""

from __future__ import annotations

import csv
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

# Okabe & Ito, "Color Universal Design" (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")

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


class Reading(NamedTuple):
    """An image with what was read in it.

    Attributes:
        image: ``(h, w, ch)`` uint8.
        label: What it says.
        predictions: What each arm read.
    """

    image: np.ndarray
    label: str
    predictions: Sequence[str]


def read_metrics(folder: Path) -> dict[str, Curve]:
    """Read the metrics of a run: ``metrics.<i>.csv`` of earlier parts, then ``metrics.csv``.

    Where parts overlap, because a run was resumed from a checkpoint, the later one counts.
    """
    parts = sorted(folder.glob("metrics.*.csv"), key=lambda path: int(path.suffixes[0][1:]))
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for part in [*parts, folder / "metrics.csv"]:
        if not part.exists():
            continue
        with open(part, newline="") as stream:
            for row in csv.DictReader(stream):
                for name, value in row.items():
                    if value and name not in ("step", "epoch"):
                        values[name][int(row["step"])] = float(value)
    return {name: (sorted(v), [v[step] for step in sorted(v)]) for name, v in values.items()}


def draw_curves(arms: dict[str, dict[str, Curve]], panels: Sequence[Panel], file: Path) -> None:
    """Draw one panel per metric, one line per arm.

    Args:
        arms: Curves of each arm by metric.
        panels: What to draw; a panel that no arm has data for is left out.
        file: PNG or SVG.
    """
    panels = [p for p in panels if any(p.metric in curves for curves in arms.values())]
    figure = Figure(figsize=(3.6 * len(panels), 3.2), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for (name, curves), colour in zip(arms.items(), COLOURS, strict=False):
            if panel.metric in curves:
                axes.plot(*curves[panel.metric], label=name, color=colour, linewidth=1.6)
        axes.set(title=panel.title, xlabel="step", ylabel=panel.unit)
        if panel.log:
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    figure.savefig(file, dpi=150)


def draw_readings(
    readings: Sequence[Reading], arms: Sequence[str], title: str, file: Path, columns: int = 4
) -> None:
    """Draw images with their label and what each arm read, wrong readings in the second colour.

    Args:
        readings: The images.
        arms: Names of the arms, in the order of ``Reading.predictions``.
        title: Heading.
        file: PNG or SVG.
        columns: Images beside each other.
    """
    rows = -(-len(readings) // columns)
    figure = Figure(figsize=(2.5 * columns, 0.5 + 1.15 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, reading in zip(grid, readings, strict=False):
        axes.imshow(reading.image.squeeze(), cmap="gray", aspect="auto")
        axes.set_title(reading.label, fontsize=9, loc="left", family="monospace", pad=2)
        for i, (arm, text) in enumerate(zip(arms, reading.predictions, strict=True)):
            axes.text(
                0.0,
                -0.06 - 0.24 * i,
                f"{arm}: {textwrap.shorten(text, 24, placeholder='...') or '(nothing)'}",
                transform=axes.transAxes,
                va="top",
                fontsize=8,
                family="monospace",
                color=COLOURS[0] if text == reading.label else COLOURS[1],
            )
    for axes in grid:
        axes.set_axis_off()
    figure.savefig(file, dpi=150)
