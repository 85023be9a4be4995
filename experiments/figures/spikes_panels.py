"""The panels of Figure 1: a word as two nets read it, and gradients of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dctc.metrics.localization import NOWHERE, TOLERANCE
from experiments.figures.figures import COLOURS
from experiments.figures.published import Arrays

# How a character looks: by colour, line and marker, so that it can be told in grey too
CLOSE: dict[str, Any] = {"color": COLOURS[0], "linestyle": "-", "marker": "o", "markersize": 3}
APART: dict[str, Any] = {"color": COLOURS[1], "linestyle": (0, (2, 1)), "marker": "X"}
APART |= {"markersize": 5, "markeredgewidth": 0}
FONT_SIZE = 7.5

BAND = 0.5  # half the height of the image in a panel, in units of the largest weight
LEAST = 0.03  # weight that is drawn
LETTER = 0.055  # width of a letter, as a share of that of a panel
LEVEL = 0.36  # height of a line of letters


def levels(frames: Sequence[int], t: int) -> list[int]:
    """Return for each letter the line that it stands in, so that none covers another.

    Args:
        frames: Where the letters stand, of ``t``.
        t: Frames.

    Example:
        >>> levels([3, 4, 4, 20], t=32)
        [0, 1, 2, 0]
    """
    last: list[int] = []  # the frame of the last letter of each line
    found = [0] * len(frames)
    for i in sorted(range(len(frames)), key=lambda i: (frames[i], i)):
        free = (k for k, frame in enumerate(last) if frames[i] - frame > LETTER * t)
        found[i] = next(free, len(last))
        last[found[i] :] = [frames[i], *last[found[i] + 1 :]]
    return found


def reach(lines: int) -> float:
    """Return half the height of a word's panel that has room for so many lines of letters."""
    return BAND + 1.1 + LEVEL * lines


def draw_word(
    axes: Axes,
    image: np.ndarray,
    label: str,
    weights: np.ndarray,
    frames: np.ndarray,
    lines: int,
) -> None:
    """Draw a word with what two nets make of it, one above the image and one below.

    Args:
        axes: Where.
        image: ``(h, w, ch)``.
        label: What it says.
        weights: ``(2, s, t)``, of 1 at most.
        frames: The frame of each character, ``(2, s)``.
        lines: Lines of letters that there is room for.
    """
    t = weights.shape[2]
    axes.imshow(
        image,
        extent=(0, t, -BAND, BAND),
        aspect="auto",
        cmap="gray",
        alpha=0.85,
        interpolation="nearest",
    )
    for j in range(len(label)):
        first, second = int(frames[0, j]), int(frames[1, j])
        style = APART if abs(first - second) > TOLERANCE else CLOSE
        for side, weight in zip((1, -1), weights[:, j].astype(float), strict=True):
            edge = side * BAND
            heights = np.where(weight >= LEAST, edge + side * weight, np.nan)
            outline = {"color": style["color"], "linestyle": style["linestyle"]}
            axes.stairs(heights, baseline=edge, fill=True, color=style["color"], alpha=0.3)
            axes.stairs(heights, baseline=edge, linewidth=0.8, **outline)
        if NOWHERE not in (first, second):
            axes.plot([first + 0.5, second + 0.5], [BAND, -BAND], linewidth=1.4, **style)
    for side, of_net in zip((1, -1), frames, strict=True):
        placed = [(int(f), c) for f, c in zip(of_net, label, strict=False) if f != NOWHERE]
        for (frame, letter), level in zip(placed, levels([f for f, _ in placed], t), strict=True):
            axes.text(
                frame + 0.5,
                side * (BAND + 1.25 + LEVEL * level),
                letter,
                ha="center",
                va="center",
                fontsize=FONT_SIZE,
                family="monospace",
                parse_math=False,
            )
    axes.set(xlim=(0, t), ylim=(-reach(lines), reach(lines)), yticks=[])
    axes.tick_params(labelsize=FONT_SIZE)
    axes.spines[["top", "right", "left"]].set_visible(False)


def draw_gradients(figure: Any, arrays: Arrays) -> None:
    """Draw the gradients of CTC and of DCTC on one scale, and what DCTC adds on its own.

    Args:
        figure: A figure or a part of one.
        arrays: Of :func:`experiments.figures.spikes.gradient_arrays`.
    """
    rows = [str(row) for row in arrays["gradient_rows"]]
    ctc, dctc = arrays["gradients"]
    most = float(np.abs(arrays["gradients"]).max())
    weight = f"{float(arrays['distill_weight']):g}"
    drawn = {
        "CTC": (ctc, most),
        f"DCTC with weight {weight}": (dctc, most),
        "DCTC - CTC": (dctc - ctc, float(np.abs(dctc - ctc).max())),
    }
    panels = figure.subplots(1, len(drawn), sharey=True)
    for axes, (title, (gradient, highest)) in zip(panels, drawn.items(), strict=True):
        end = highest or 1.0  # of the scale
        image = axes.imshow(gradient, aspect="auto", cmap="PuOr_r", vmin=-end, vmax=end)
        axes.set_title(title, fontsize=8)
        axes.set_yticks(range(len(rows)), rows, family="monospace", parse_math=False)
        axes.tick_params(labelsize=FONT_SIZE)
        axes.set_xlabel("frame", fontsize=FONT_SIZE)
        for row in range(1, len(rows)):
            axes.axhline(row - 0.5, color="#CCCCCC", linewidth=0.5)
        bar = figure.colorbar(image, ax=axes, pad=0.02, ticks=[-end, 0, end], format="%.2g")
        bar.ax.tick_params(labelsize=FONT_SIZE)
    label, reading = str(arrays["gradient_label"]), str(arrays["gradient_reading"])
    figure.suptitle(
        f"d loss / d logit of one CTC net on {label!r}, which it reads as {reading!r}",
        fontsize=9,
        parse_math=False,
    )
