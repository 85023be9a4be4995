"""Figures: training curves and sheets of readings."""

from __future__ import annotations

import csv
import io
import textwrap
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# Okabe & Ito, "Color Universal Design" (2008): told apart with any colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

FEW_POINTS = 16  # curves of fewer points get markers; of one point there is no line to see
MANY_POINTS = 100  # curves of that many are smoothed

# Inches of a sheet of readings: an image with its label above; a line of text; characters that fit.
CELL_WIDTH, CELL_HEIGHT, LINE_HEIGHT = 2.5, 0.85, 0.16
CELL_CHARACTERS = 30

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

    Where parts overlap, because a run was resumed from a checkpoint, the later one counts. A last
    line that a killed run left unfinished is not read.
    """
    parts = sorted(folder.glob("metrics.[0-9]*.csv"), key=lambda path: int(path.suffixes[0][1:]))
    return read_parts([*parts, folder / "metrics.csv"])


def read_parts(parts: Sequence[Path]) -> dict[str, Curve]:
    """Read files of metrics, of which later ones count where they overlap; missing ones do not."""
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


def draw_curves(arms: dict[str, dict[str, Curve]], panels: Sequence[Panel], file: Path) -> None:
    """Draw one panel per metric, one line per arm.

    Args:
        arms: Curves of each arm by metric.
        panels: What to draw; a panel that no arm has data for is left out.
        file: PNG or SVG.

    Raises:
        ValueError: If there are more arms than colours.
    """
    if len(arms) > len(COLOURS):
        raise ValueError(f"{len(arms)} arms, but only {len(COLOURS)} colours to tell them apart")
    panels = [p for p in panels if any(p.metric in curves for curves in arms.values())]
    if not panels:
        return _draw_nothing("No metrics were logged.", file)
    figure = Figure(figsize=(3.6 * len(panels), 3.4), layout="constrained")
    lines = {}
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for (name, curves), colour in zip(arms.items(), COLOURS, strict=False):
            if panel.metric in curves:
                steps, values = curves[panel.metric]
                many = len(steps) >= MANY_POINTS
                if many:  # single batches are noisy: their running mean, over themselves in pale
                    axes.plot(steps, values, color=colour, linewidth=0.8, alpha=0.25)
                    values = running_mean(values, len(values) // 20)
                (lines[name],) = axes.plot(
                    steps,
                    values,
                    color=colour,
                    linewidth=1.6,
                    marker="o" if len(steps) < FEW_POINTS else None,
                    markersize=4,
                )
        axes.set(title=panel.title, xlabel="step", ylabel=panel.unit)
        axes.xaxis.set_major_locator(
            MaxNLocator(6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10])
        )
        if panel.log:
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    names = [name for name in arms if name in lines]
    handles = [lines[name] for name in names]
    figure.legend(handles, names, frameon=False, loc="outside upper center", ncols=len(names))
    figure.savefig(file, dpi=150)


def running_mean(values: Sequence[float], reach: int) -> list[float]:
    """Return the mean of each value and its neighbours, ``reach`` to each side at most.

    Example:
        >>> running_mean([0.0, 3.0, 6.0, 9.0], reach=1)
        [1.5, 3.0, 6.0, 7.5]
    """
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [float(np.mean(window)) for window in windows]


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
    if not readings:
        return _draw_nothing(f"{title}: no readings to show.", file)
    columns = min(columns, len(readings))
    rows = -(-len(readings) // columns)
    heading = textwrap.wrap(title, 26 * columns)  # characters at 11 points
    height = 0.1 + 0.2 * len(heading) + rows * (CELL_HEIGHT + LINE_HEIGHT * len(arms))
    figure = Figure(figsize=(CELL_WIDTH * columns, height), layout="constrained")
    figure.suptitle("\n".join(heading), fontsize=11, parse_math=False)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    # parse_math: a dollar sign in a word is a dollar sign
    font = {"family": "monospace", "parse_math": False}
    for axes, reading in zip(grid, readings, strict=False):
        axes.imshow(reading.image.squeeze(), cmap="gray", aspect="auto")
        axes.set_title(_shortened(reading.label), fontsize=9, loc="left", pad=2, **font)
        for i, (arm, text) in enumerate(zip(arms, reading.predictions, strict=True)):
            axes.annotate(
                _shortened(f"{arm}: {text or '(nothing)'}"),
                (0, 0),
                xycoords="axes fraction",
                xytext=(0, -2 - 72 * LINE_HEIGHT * i),
                textcoords="offset points",
                va="top",
                fontsize=8,
                color=COLOURS[0] if text == reading.label else COLOURS[1],
                **font,
            )
    for axes in grid:
        axes.set_axis_off()
    figure.savefig(file, dpi=150)


def _shortened(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 3]}..."


def _draw_nothing(why: str, file: Path) -> None:
    """Draw a sheet that says why it is empty: a run is not worth failing for its pictures."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.5, 0.5, why, ha="center", va="center", parse_math=False)
    figure.savefig(file, dpi=150)
