"""Figure 4: features of confused characters, in each group the arms side by side."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctc.data.render.fonts import SYSTEM, find_fonts
from dctc.metrics.cohesion import NEIGHBOURS
from dctc.results.tables import Table
from experiments.figures.clusters import PERPLEXITY
from experiments.figures.figure_table import draw_table, table_height
from experiments.figures.figures import COLOURS
from experiments.figures.published import Arrays

MARKERS = "osD^v"
WIDTH, CELL = 7.3, 2.4  # inches: of a page; the height of a group
MEASURES = ("silhouette ↑", "neighbours alike ↑", "within / between ↓")  # better


def draw_clusters(arrays: Arrays) -> Figure:
    """Draw Figure 4.

    Characters beyond ASCII are written with a font of the machine that draws all of them; where
    there is none, by their code points, as U+5730.

    Args:
        arrays: Of :func:`experiments.figures.clusters.cluster_arrays`, and ``arms`` ``(a,)``.
    """
    groups = [str(group) for group in arrays["groups"]]
    font = _font_of("".join(groups))
    names = {c: c if c.isascii() or font else f"U+{ord(c):04X}" for c in "".join(groups)}
    with mpl.rc_context({"font.family": [*mpl.rcParams["font.family"], *font]}):
        return _draw(arrays, groups, names, font)


def _font_of(characters: str) -> list[str]:
    """Return the name of a font of the machine, known to matplotlib then; none for ASCII."""
    if characters.isascii():
        return []
    try:
        known, reason = find_fonts(SYSTEM), "no font of the machine draws all of them"
    except ValueError as error:
        known, reason = [], str(error)
    for font in sorted(known, key=lambda font: "hei" not in font.family.lower()):  # of even strokes
        if font.covers(characters):
            font_manager.fontManager.addfont(font.path)
            return [font_manager.FontProperties(fname=font.path).get_name()]
    warnings.warn(f"{characters}: {reason}; written as code points", stacklevel=3)
    return []


def _draw(arrays: Arrays, groups: list[str], names: dict[str, str], font: list[str]) -> Figure:
    table = _named(cohesion_table(arrays), names)
    upper, lower = CELL * len(groups) + 0.3, table_height(table) + 0.7
    figure = Figure(figsize=(WIDTH, upper + lower), layout="constrained")
    both: Any = figure.subfigures(2, 1, height_ratios=(upper, lower))
    above, below = both
    parts = above.subfigures(len(groups), 1, squeeze=False).ravel()
    for k, (part, group) in enumerate(zip(parts, groups, strict=True)):
        _draw_group(part, arrays, k, group, names, font)
    above.suptitle(f"t-SNE of frame features, one seed ({_perplexity(arrays)})", fontsize=9)
    below.suptitle("Measured in the space of the features, not in the plane", fontsize=9)
    draw_table(below.subplots(), table, (0.9, 1.4, 0.7, 1.8, 2.1, 2.0))
    below.supxlabel("\n".join(table.notes), fontsize=8)
    return figure


def _perplexity(arrays: Arrays) -> str:
    """Say the perplexity that :func:`experiments.figures.clusters.embed` chose."""
    fewest = min(len(arrays[f"characters_{k}"]) for k in range(len(arrays["groups"])))
    few = (fewest - 1) / 3 < PERPLEXITY
    return f"perplexity {PERPLEXITY}" + (
        ", or a third of the frames where they are few" if few else ""
    )


def cohesion_table(arrays: Arrays) -> Table:
    """Return the measures of each group and arm over seeds, and what they differ by seed by seed.

    Args:
        arrays: As of :func:`draw_clusters`.
    """
    measured = arrays["cohesion"]  # (arms, seeds, g, 3)
    seeds, arms = measured.shape[1], [str(arm) for arm in arrays["arms"]]
    rows = []
    for k, group in enumerate(arrays["groups"]):
        name, frames = " ".join(str(group)), f"{len(arrays[f'characters_{k}']):,}"
        of_group = measured[:, :, k].swapaxes(1, 2)  # (arms, 3, seeds)
        rows += [
            [name, arm, frames, *map(_mean, of_arm)]
            for arm, of_arm in zip(arms, of_group, strict=True)
        ]
        for arm, of_arm in zip(arms[1:], of_group[1:], strict=True):
            gains = of_arm - of_group[0]
            rows.append([name, f"{arm} - {arms[0]}", frames, *map(_gain, gains, MEASURES)])
    over = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed"
    notes = [f"{over}; {NEIGHBOURS} nearest neighbours, Euclidean distance."]
    if len(arms) > 1:
        notes.append("Differences: their mean, and in how many seeds it is for the better.")
    columns = ["group", "net", "frames", *MEASURES]
    groups = ", ".join(" ".join(str(group)) for group in arrays["groups"])
    return Table(f"Confused characters: {groups}", columns, rows, notes, 2)


def _gain(gains: np.ndarray, measure: str) -> str:
    better = int(((gains > 0) if measure.endswith("↑") else (gains < 0)).sum())
    return f"{gains.mean():+.3f} ({better} of {len(gains)})"


def _mean(values: np.ndarray) -> str:
    mean = f"{values.mean():.3f}"
    return f"{mean} ± {values.std(ddof=1):.3f}" if len(values) > 1 else mean


def _named(table: Table, names: dict[str, str]) -> Table:
    """Return the table with the characters of its groups as they are written."""
    rows = [[" ".join(names[c] for c in row[0].split()), *row[1:]] for row in table.rows]
    return replace(table, rows=rows)


def _draw_group(
    figure: Any, arrays: Arrays, k: int, group: str, names: dict[str, str], font: list[str]
) -> None:
    """Draw the planes of a group, an arm beside the other, below a legend of its characters."""
    arms = [str(arm) for arm in arrays["arms"]]
    panels = figure.subplots(1, len(arms), squeeze=False)[0]
    for axes, arm, points in zip(panels, arms, arrays[f"points_{k}"], strict=True):
        _draw_plane(axes, points, arrays[f"characters_{k}"], group, names)
        axes.set_title(arm, fontsize=8.5, pad=3)
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        frameon=False,
        loc="outside upper center",
        ncols=len(group),
        handletextpad=0.0,
        columnspacing=1.0,
        prop={"family": ["monospace", *font], "size": 13},
    )


def _draw_plane(
    axes: Axes, points: np.ndarray, found: np.ndarray, group: str, names: dict[str, str]
) -> None:
    for character, colour, marker in zip(group, COLOURS, MARKERS, strict=False):
        own = points[found == character]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=16,
            color=colour,
            marker=marker,
            alpha=0.7,
            linewidths=0,
            label=names[character],
        )
    axes.set(xticks=[], yticks=[])
    axes.set_aspect("equal", adjustable="datalim")  # as distances are what the plane shows
    axes.margins(0.08)
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")
