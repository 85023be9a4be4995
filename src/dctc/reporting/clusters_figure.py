"""Figure 4: features of confused characters, a row for each group, the arms side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dctc.metrics.cohesion import NEIGHBOURS
from dctc.reporting.clusters import PERPLEXITY
from dctc.reporting.figure_table import draw_table, table_height
from dctc.reporting.figures import COLOURS
from dctc.reporting.published import Arrays
from dctc.reporting.tables import Table

MARKERS = "osD^v"
CELL = 2.6  # inches
MEASURES = ("silhouette ↑", "neighbours alike ↑", "within / between ↓")  # better


def draw_clusters(arrays: Arrays) -> Figure:
    """Draw Figure 4.

    Args:
        arrays: Of :func:`dctc.reporting.clusters.cluster_arrays`, and ``arms`` ``(a,)``.
    """
    arms, groups = arrays["arms"], [str(group) for group in arrays["groups"]]
    table = cohesion_table(arrays)
    upper, lower = CELL * len(groups) + 0.5, table_height(len(table.rows)) + 0.75
    width = max(CELL * 1.25 * len(arms), 7.2)
    figure = Figure(figsize=(width, upper + lower), layout="constrained")
    both: Any = figure.subfigures(2, 1, height_ratios=(upper, lower))
    above, below = both
    grid = above.subplots(len(groups), len(arms), squeeze=False)
    for k, group in enumerate(groups):
        for i, arm in enumerate(arms):
            _draw_plane(grid[k, i], arrays[f"points_{k}"][i], arrays[f"characters_{k}"], group)
            if k == 0:
                grid[k, i].set_title(str(arm), fontsize=11)
        grid[k, 0].set_ylabel(" ".join(group), fontsize=12, family="monospace", parse_math=False)
        grid[k, -1].legend(
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            prop={"family": "monospace"},
        )
    above.suptitle(
        f"t-SNE of frame features, one seed (perplexity {PERPLEXITY}, or a third of the frames)",
        fontsize=11,
    )
    below.suptitle("Measured in the space of the features, not in the plane", fontsize=10)
    draw_table(below.subplots(), table.columns, table.rows, (1.1, 0.9, 0.9, 1.8, 2.2, 2.0))
    below.supxlabel(table.notes[0], fontsize=8.5)
    return figure


def cohesion_table(arrays: Arrays) -> Table:
    """Return the measures of each group and arm, mean and deviation over seeds.

    Args:
        arrays: As of :func:`draw_clusters`.
    """
    measured = arrays["cohesion"]  # (arms, seeds, g, 3)
    seeds = measured.shape[1]
    rows = [
        [
            " ".join(str(group)),
            str(arm),
            f"{len(arrays[f'characters_{k}']):,}",
            *(_mean(measured[i, :, k, m]) for m in range(measured.shape[3])),
        ]
        for k, group in enumerate(arrays["groups"])
        for i, arm in enumerate(arrays["arms"])
    ]
    over = f"Mean ± standard deviation over {seeds} seeds" if seeds > 1 else "One seed"
    note = f"{over}; {NEIGHBOURS} nearest neighbours, Euclidean distance."
    return Table(
        "Clusters of confused characters", ["group", "net", "frames", *MEASURES], rows, [note]
    )


def _mean(values: np.ndarray) -> str:
    mean = f"{values.mean():.3f}"
    return f"{mean} ± {values.std(ddof=1):.3f}" if len(values) > 1 else mean


def _draw_plane(axes: Axes, points: np.ndarray, found: np.ndarray, group: str) -> None:
    for character, colour, marker in zip(group, COLOURS, MARKERS, strict=False):
        own = points[found == character]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=14,
            color=colour,
            marker=marker,
            alpha=0.7,
            linewidths=0,
            label=character,
        )
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color("#BBBBBB")
