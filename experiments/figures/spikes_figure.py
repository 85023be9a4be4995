"""Figure 1: where nets of two seeds read the characters of a word, and the gradients of a word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dctc.metrics.localization import NOWHERE, TOLERANCE
from dctc.results.tables import Table, percent
from experiments.figures.figure_table import draw_table, table_height
from experiments.figures.published import Arrays
from experiments.figures.spikes_panels import (
    APART,
    CLOSE,
    FONT_SIZE,
    draw_gradients,
    draw_word,
    levels,
    reach,
)

WIDTH, ROW, GRADIENTS = 7.3, 1.5, 2.0  # inches: of a page; a family's words; the gradients
HEADINGS = 0.95  # inches above and below the words
RATE_COLUMNS = ("net", "set", "characters", "frames differ", "pair by pair", "accuracy by seed")


def draw_spikes(arrays: Arrays) -> Figure:
    """Draw Figure 1.

    Args:
        arrays: Of :func:`word_arrays` and :func:`gradient_arrays`, and those of
            :func:`rate_rows`; without ``gradients`` or ``apart`` those parts are left out.
    """
    table = rate_table(arrays)
    heights = [HEADINGS + ROW * len(arrays["families"])]
    heights += [GRADIENTS] if "gradients" in arrays else []
    heights += [table_height(table) + 0.3] if table.rows else []
    figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_words(parts[0], arrays)
    if "gradients" in arrays:
        draw_gradients(parts[1], arrays)
    if table.rows:
        parts[-1].suptitle(
            f"Characters whose frames lie more than {TOLERANCE} apart between two seeds; percent",
            fontsize=9,
        )
        draw_table(parts[-1].subplots(), table, (0.8, 2, 0.9, 1.1, 1.5, 1.5))
    return figure


def _draw_words(figure: Any, arrays: Arrays) -> None:
    families, labels = arrays["families"], [str(label) for label in arrays["labels"]]
    lines = [_lines(frames, arrays["weights"].shape[-1]) for frames in arrays["frames"]]
    heights = [reach(k) for k in lines]
    grid = figure.subplots(len(families), len(labels), squeeze=False, height_ratios=heights)
    for i, family in enumerate(families):
        weights, frames = arrays["weights"][i].astype(float), arrays["frames"][i]
        highest = float(weights.max()) or 1.0
        for j, label in enumerate(labels):
            image = arrays["images"][j]
            draw_word(grid[i, j], image, label, weights[:, j] / highest, frames[:, j], lines[i])
            if i == 0:
                grid[i, j].set_title(label, fontsize=8.5, family="monospace", parse_math=False)
        what = "weights" if family == "Attention" else "posterior"
        grid[i, 0].set_ylabel(f"{family}\n{what}\nup to {highest:.2g}", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("frame", fontsize=FONT_SIZE)
    handles = [
        Line2D([], [], label="same frame, or the next", **CLOSE),
        Line2D([], [], label="further apart", **APART),
    ]
    figure.legend(
        handles=handles,
        frameon=False,
        loc="outside lower center",
        ncols=2,
        fontsize=8,
        handlelength=3,
    )
    figure.suptitle(
        "Each character's frame: one seed above the image, another below; "
        "every row has a scale of its own",
        fontsize=9,
    )


def _lines(frames: np.ndarray, t: int) -> int:
    """Return the lines of letters that the fullest panel needs; ``frames`` is ``(2, n, s)``."""
    of_panels = frames.reshape(-1, frames.shape[-1])
    return 1 + max(
        max(levels([int(f) for f in row if f != NOWHERE], t), default=0) for row in of_panels
    )


def rate_table(arrays: Arrays) -> Table:
    """Return the table of disagreement; ``arrays`` as of :func:`rate_rows`."""
    pairs = ", ".join(f"{a} and {b}" for a, b in arrays.get("pairs", ()))
    note = (
        "Percent. A character of a label, read or not, is where its posterior or attention is "
        f"largest; frames differ if they are more than {TOLERANCE} apart. Words are those of seed "
        "0, the same for all nets; accuracy on rendered words is that on each seed's own, as many. "
        f"Pairs, in this order: seeds {pairs}."
    )
    return Table("Disagreement of pairs of seeds", RATE_COLUMNS, rate_rows(arrays), [note], 2)


def rate_rows(arrays: Arrays) -> list[list[str]]:
    """Return the rows of the table of disagreement.

    Args:
        arrays: ``families`` ``(f,)``, ``sets`` ``(k,)``, ``pairs`` ``(p, 2)`` of seeds, ``apart``
            and ``characters`` ``(f, k, p)``, ``correct`` ``(f, seeds, k)`` words and ``words``
            ``(k,)``.
    """
    if "apart" not in arrays:
        return []
    rows = []
    for k, name in enumerate(arrays["sets"]):
        words = int(arrays["words"][k])
        for i, family in enumerate(arrays["families"]):
            apart, characters = arrays["apart"][i, k], arrays["characters"][i, k]
            rows.append(
                [
                    str(family),
                    f"{name} ({words:,} words)",
                    ", ".join(dict.fromkeys(f"{int(n):,}" for n in characters)),
                    percent(int(apart.sum()), int(characters.sum())),
                    _percents(apart, characters),
                    _percents(arrays["correct"][i, :, k], [words] * arrays["correct"].shape[1]),
                ]
            )
    return rows


def _percents(counts: Iterable[int], of: Iterable[int]) -> str:
    return ", ".join(percent(int(c), int(n)) for c, n in zip(counts, of, strict=True))
