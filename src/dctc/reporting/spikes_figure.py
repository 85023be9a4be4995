"""Figure 1: where nets of two seeds read the characters of a word, and the gradients of a word."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dctc.metrics.localization import NOWHERE, TOLERANCE
from dctc.reporting.figure_table import draw_table, table_height
from dctc.reporting.figures import COLOURS
from dctc.reporting.published import Arrays
from dctc.reporting.tables import Table, percent

CLOSE, APART = COLOURS[0], COLOURS[1]
CELL_WIDTH, CELL_HEIGHT, GRADIENT_WIDTH = 2.1, 1.75, 3.4  # inches
MARGIN = 1.25  # inches for the headings and the legend
BAND = 0.5  # half the height of the image in a cell, in units of a weight of 1
RATE_COLUMNS = ("net", "set", "characters", "frames differ", "accuracy, one seed", "the other")


def draw_spikes(arrays: Arrays) -> Figure:
    """Draw Figure 1.

    Args:
        arrays: Of :func:`word_arrays` and :func:`gradient_arrays`, and those of
            :func:`rate_rows`; without ``gradients`` or ``apart`` those parts are left out.
    """
    families, words = arrays["families"], len(arrays["labels"])
    gradients, rates = "gradients" in arrays, rate_rows(arrays)
    height = MARGIN + CELL_HEIGHT * len(families)
    below = table_height(len(rates)) + 0.35 if rates else 0.0
    width = CELL_WIDTH * words + (GRADIENT_WIDTH if gradients else 0.0)
    figure = Figure(figsize=(width, height + below), layout="constrained")
    upper: Any = figure  # matplotlib's types of what subfigures returns are too narrow
    if rates:
        both: Any = figure.subfigures(2, 1, height_ratios=(height, below))
        upper, lower = both
        lower.suptitle(
            f"Characters whose frames lie more than {TOLERANCE} apart between the two seeds",
            fontsize=10,
        )
        draw_table(lower.subplots(), RATE_COLUMNS, rates, (1.2, 2, 1, 1.2, 1.5, 1))
    cells = upper
    if gradients:
        cells, right = upper.subfigures(1, 2, width_ratios=(CELL_WIDTH * words, GRADIENT_WIDTH))
        _draw_gradients(right, arrays)
    grid = cells.subplots(len(families), words, squeeze=False)
    for i, family in enumerate(families):
        for j, label in enumerate(arrays["labels"]):
            weights, frames = arrays["weights"][i, :, j], arrays["frames"][i, :, j]
            _draw_word(grid[i, j], arrays["images"][j], str(label), weights, frames)
            if i == 0:
                grid[i, j].set_title(str(label), fontsize=10, family="monospace", parse_math=False)
        what = "weights" if family == "Attention" else "posterior"
        grid[i, 0].set_ylabel(f"{family}\n{what}", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("frame", fontsize=8)
    handles = [
        Line2D([], [], color=CLOSE, marker="o", markersize=4, label="same frame, or the next"),
        Line2D([], [], color=APART, marker="o", markersize=4, label="further apart"),
    ]
    cells.legend(handles=handles, frameon=False, loc="outside lower center", ncols=2, fontsize=9)
    cells.suptitle("Each character's frame: one seed above the image, another below", fontsize=11)
    return figure


def rate_table(arrays: Arrays) -> Table:
    """Return the table of disagreement; ``arrays`` as of :func:`rate_rows`."""
    note = (
        "Frames: of seed 0's words, the same for all nets. Accuracy on rendered words: of each "
        "seed's own words, as many."
    )
    return Table("Disagreement of two seeds", RATE_COLUMNS, rate_rows(arrays), [note])


def rate_rows(arrays: Arrays) -> list[list[str]]:
    """Return the rows of the table of disagreement.

    Args:
        arrays: ``families`` ``(f,)``, ``sets`` ``(k,)``, ``apart`` and ``characters`` ``(f, k)``,
            ``correct`` ``(f, 2, k)`` words by seed and ``words`` ``(k,)``.
    """
    if "apart" not in arrays:
        return []
    return [
        [
            str(family),
            f"{name} ({int(arrays['words'][k]):,} words)",
            f"{int(arrays['characters'][i, k]):,}",
            f"{percent(int(arrays['apart'][i, k]), int(arrays['characters'][i, k]))} %",
            *(f"{percent(int(c), int(arrays['words'][k]))} %" for c in arrays["correct"][i, :, k]),
        ]
        for k, name in enumerate(arrays["sets"])
        for i, family in enumerate(arrays["families"])
    ]


def _draw_word(
    axes: Axes, image: np.ndarray, label: str, weights: np.ndarray, frames: np.ndarray
) -> None:
    """Draw a word: of two seeds the weights ``(2, s, t)`` and the chosen frames ``(2, s)``."""
    t = weights.shape[2]
    axes.imshow(image, extent=(0, t, -BAND, BAND), aspect="auto", cmap="gray", alpha=0.85)
    centres = np.arange(t) + 0.5
    for j in range(len(label)):
        first, second = int(frames[0, j]), int(frames[1, j])
        colour = APART if abs(first - second) > TOLERANCE else CLOSE
        for side, weight in zip((1, -1), weights[:, j].astype(float), strict=True):
            edge = side * BAND
            axes.fill_between(
                centres, edge, edge + side * weight, step="mid", color=colour, alpha=0.45, lw=0
            )
        if NOWHERE not in (first, second):
            axes.plot(
                [first + 0.5, second + 0.5],
                [BAND, -BAND],
                color=colour,
                linewidth=1.4,
                marker="o",
                markersize=3,
            )
            for side, frame in ((1, first), (-1, second)):
                axes.text(
                    frame + 0.5,
                    side * (BAND + 1.18),
                    label[j],
                    ha="center",
                    va="center",
                    fontsize=7,
                    family="monospace",
                    parse_math=False,
                )
    axes.set(xlim=(0, t), ylim=(-BAND - 1.38, BAND + 1.38), yticks=[])
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_gradients(figure: Any, arrays: Arrays) -> None:
    gradients, rows = arrays["gradients"], [str(row) for row in arrays["gradient_rows"]]
    reach = float(np.abs(gradients).max()) or 1.0
    alpha = float(arrays["distill_weight"])
    titles = ("CTC", f"DCTC, alpha = {alpha:g}")
    panels = figure.subplots(2, 1, sharex=True)
    for axes, gradient, title in zip(panels, gradients, titles, strict=True):
        drawn = axes.imshow(gradient, aspect="auto", cmap="PuOr_r", vmin=-reach, vmax=reach)
        axes.set_title(f"Gradient of {title}", fontsize=9)
        axes.set_yticks(range(len(rows)), rows, fontsize=8, family="monospace", parse_math=False)
        axes.tick_params(labelsize=7)
        for row in range(1, len(rows)):
            axes.axhline(row - 0.5, color="white", linewidth=0.8)
    panels[-1].set_xlabel("frame", fontsize=8)
    word = str(arrays["labels"][0])
    figure.suptitle(f"One CTC net's logits on {word!r}", fontsize=10, parse_math=False)
    bar = figure.colorbar(drawn, ax=panels, shrink=0.6, pad=0.02)
    bar.ax.tick_params(labelsize=7)
    bar.set_label("d loss / d logit", fontsize=8)
