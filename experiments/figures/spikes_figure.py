"""Figure 1: the frames of each character for nets of two seeds, and gradients; one word alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dctc.data.records.batch import Batch
from dctc.data.render.fonts import find_fonts
from dctc.data.render.renderer import WordRenderer
from dctc.reading.reader import Reader
from dctc.tables import Table, percent
from experiments.figures import COLOURS, FONT_SIZE, WIDTH, Arrays
from experiments.figures.localization import NOWHERE, TOLERANCE
from experiments.figures.spikes import character_weights

# How a character looks: by colour, line and marker, so that it can be told in grey too
CLOSE: dict[str, Any] = {"color": COLOURS[0], "linestyle": "-", "marker": "o", "markersize": 3}
APART: dict[str, Any] = {"color": COLOURS[1], "linestyle": (0, (2, 1)), "marker": "X"}
APART |= {"markersize": 5, "markeredgewidth": 0}
ROW, HEADINGS, GRADIENTS = 1.4, 0.95, 2.0  # inches: a family's words; around all; the gradients

BAND = 0.5  # half the height of the image in a panel, in units of the largest weight
LEAST = 0.03  # weight that is drawn
LETTER = 0.055  # width of a letter, as a share of that of a panel
LEVEL = 0.36  # height of a line of letters

ALTERNATE = (COLOURS[0], COLOURS[4])  # neighbouring characters of the word that is drawn alone
PALE = "#D9D9D9"


def draw_spikes(arrays: Arrays) -> Figure:
    """Draw Figure 1 from the arrays of :func:`experiments.figures.spikes.word_panels`."""
    words = HEADINGS + ROW * len(arrays["families"])
    figure = Figure(figsize=(WIDTH, words + GRADIENTS), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(words, GRADIENTS))
    _draw_words(parts[0], arrays)
    _draw_gradients(parts[1], arrays)
    return figure


def _draw_words(figure: Any, arrays: Arrays) -> None:
    families, labels = arrays["families"], [str(label) for label in arrays["labels"]]
    lines = [_lines(frames, arrays["weights"].shape[-1]) for frames in arrays["frames"]]
    heights = [_reach(k) for k in lines]
    shape = (len(families), len(labels))
    grid = figure.subplots(*shape, sharex=True, squeeze=False, height_ratios=heights)
    for i, family in enumerate(families):
        weights, frames = arrays["weights"][i].astype(float), arrays["frames"][i]
        highest = float(weights.max()) or 1.0
        for j, label in enumerate(labels):
            image = arrays["images"][j]
            _draw_word(grid[i, j], image, label, weights[:, j] / highest, frames[:, j], lines[i])
        what = "weights" if family == "Attention" else "posterior"
        grid[i, 0].set_ylabel(f"{family}\n{what}\nup to {highest:.2g}", fontsize=8)
    for axes, label in zip(grid[0], labels, strict=True):
        axes.set_title(label, fontsize=8.5, family="monospace", parse_math=False)
    for axes in grid[-1]:
        axes.set_xlabel("frame", fontsize=FONT_SIZE)
    handles = [
        Line2D([], [], label=f"at most {TOLERANCE} frame apart", **CLOSE),
        Line2D([], [], label="further apart", **APART),
    ]
    where: dict[str, Any] = {"loc": "outside lower center", "ncols": 2, "handlelength": 3}
    figure.legend(handles=handles, frameon=False, fontsize=8, **where)
    what = "Frames of each character: one seed above the image, another below"
    figure.suptitle(f"{what}; each row has its own scale", fontsize=9)


def _lines(frames: np.ndarray, t: int) -> int:
    """Return the lines of letters that the fullest panel needs; ``frames`` is ``(2, n, s)``."""
    of_panels = frames.reshape(-1, frames.shape[-1])
    return 1 + max(
        max(levels([int(f) for f in row if f != NOWHERE], t), default=0) for row in of_panels
    )


def levels(frames: Sequence[int], t: int) -> list[int]:
    """Return the line in which each letter stands, so that none covers another.

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


def _reach(lines: int) -> float:
    """Return half the height of a word's panel that has room for so many lines of letters."""
    return BAND + 1.2 + LEVEL * lines


def _draw_word(
    axes: Axes, image: np.ndarray, label: str, weights: np.ndarray, frames: np.ndarray, lines: int
) -> None:
    """Draw a word with the weights of two nets, one above the image and one below.

    The image is ``(h, w, ch)``, the weights ``(2, s, t)`` are 1 at most, the frames of characters
    ``(2, s)``; ``lines`` of letters have room.
    """
    t = weights.shape[2]
    shown: dict[str, Any] = {"aspect": "auto", "cmap": "gray", "interpolation": "nearest"}
    axes.imshow(image, extent=(0, t, -BAND, BAND), alpha=0.85, **shown)
    for j in range(len(label)):
        first, second = int(frames[0, j]), int(frames[1, j])
        style = APART if abs(first - second) > TOLERANCE else CLOSE
        colour, line = style["color"], style["linestyle"]
        for side, weight in zip((1, -1), weights[:, j], strict=True):
            edge = side * BAND
            heights = np.where(weight >= LEAST, edge + side * weight, np.nan)
            axes.stairs(heights, baseline=edge, fill=True, color=colour, alpha=0.3)
            axes.stairs(heights, baseline=edge, linewidth=0.8, color=colour, linestyle=line)
        if NOWHERE not in (first, second):
            axes.plot([first + 0.5, second + 0.5], [BAND, -BAND], linewidth=1.4, **style)
    for side, of_net in zip((1, -1), frames, strict=True):
        placed = [(int(f), c) for f, c in zip(of_net, label, strict=False) if f != NOWHERE]
        for (frame, letter), level in zip(placed, levels([f for f, _ in placed], t), strict=True):
            _letter(axes, frame + 0.5, side * (BAND + 1.25 + LEVEL * level), letter, FONT_SIZE)
    axes.set(xlim=(0, t), ylim=(-_reach(lines), _reach(lines)), yticks=[])
    axes.tick_params(labelsize=FONT_SIZE)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _letter(axes: Axes, x: float, y: float, letter: str, size: float, **style: Any) -> None:
    middle: dict[str, Any] = {"ha": "center", "va": "center", "parse_math": False}
    axes.text(x, y, letter, fontsize=size, family="monospace", **middle, **style)


def _draw_gradients(figure: Any, arrays: Arrays) -> None:
    """Draw the gradients of CTC and of DCTC on one scale, and their difference."""
    rows = [str(row) for row in arrays["gradient_rows"]]
    ctc, dctc = arrays["gradients"]
    most = float(np.abs(arrays["gradients"]).max())
    drawn = {
        "CTC": (ctc, most),
        f"DCTC, weight {float(arrays['distill_weight']):g}": (dctc, most),
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
            axes.axhline(row - 0.5, color=PALE, linewidth=0.5)
        bar = figure.colorbar(image, ax=axes, pad=0.02, ticks=[-end, 0, end], format="%.2g")
        bar.ax.tick_params(labelsize=FONT_SIZE)
    label, prediction = str(arrays["gradient_label"]), str(arrays["gradient_reading"])
    what = "Gradient of the loss with respect to the logits of one CTC net"
    text = f"{what}: label {label!r}, prediction {prediction!r}"
    figure.suptitle(text, fontsize=9, parse_math=False)


def draw_one_word(word: str = "subparts") -> Figure:
    """Draw a rendered word of digits and small letters as the packaged nets align it."""
    pixels, *_ = WordRenderer(find_fonts(None)).render(word, np.random.default_rng(0))
    image = torch.from_numpy(pixels[None]).permute(0, 3, 1, 2) / 127.5 - 1
    batch = Batch(image, [word], [word], torch.tensor([image.shape[3]]), None, [])
    figure = Figure(figsize=(9.33, 5.5), layout="constrained")
    top, *panels = figure.subplots(3, 1, sharex=True, height_ratios=(2.33, 3, 3))
    for axes, family in zip(panels, ("CTC", "DCTC"), strict=True):
        reader = Reader.from_pretrained(f"scene_{family.lower()}", device="cpu")
        posterior = character_weights(reader.net, reader.tokenizer, batch)[0][0].numpy()  # (s, t)
        t = posterior.shape[1]
        axes.axhspan(0, 1, color=PALE, linewidth=0)  # what the characters leave is the blank's
        bottom = np.zeros(t)
        for j, (character, of_character) in enumerate(zip(word, posterior, strict=True)):
            colour = ALTERNATE[j % 2]
            axes.stairs(bottom + of_character, baseline=bottom, fill=True, color=colour)
            bottom = bottom + of_character
            middle = float(np.average(np.arange(t) + 0.5, weights=of_character))
            _letter(axes, middle, 1.13, character, 15, color=colour, weight="bold")
        blank = 1 - bottom.mean()
        title = f"{family}: blank takes {100 * blank:.0f} % of the frames"
        axes.set_title(title, loc="left", fontsize=15)
        axes.set(xlim=(0, t), ylim=(0, 1.25), yticks=(0, 0.5, 1))
        axes.set_ylabel("posterior", fontsize=13)
        axes.tick_params(labelsize=12)
        axes.spines[["top", "right"]].set_visible(False)
    top.imshow(pixels, extent=(0, t, 0, 1), aspect="auto", interpolation="bicubic")
    top.set_axis_off()
    where: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.1}
    panels[0].legend([Patch(color=PALE)], ["blank"], frameon=False, fontsize=14, **where)
    panels[-1].set_xlabel("frame", fontsize=13)
    return figure


def rate_table(arrays: Arrays) -> Table:
    """Return the table of disagreement between pairs of seeds, a row for each set and family.

    The arrays are those of :func:`experiments.figures.spikes.rate_arrays`, and ``families``.
    """
    rows = []
    for k, name in enumerate(arrays["sets"]):
        words = int(arrays["words"][k])
        for i, family in enumerate(arrays["families"]):
            apart, characters = arrays["apart"][i, k], arrays["characters"][i, k]
            correct = arrays["correct"][i, :, k]
            rows.append(
                [
                    str(family),
                    f"{name} ({words:,} words)",
                    ", ".join(dict.fromkeys(f"{int(n):,}" for n in characters)),
                    percent(int(apart.sum()), int(characters.sum())),
                    _percents(apart, characters),
                    _percents(correct, [words] * len(correct)),
                ]
            )
    pairs = ", ".join(f"{a} and {b}" for a, b in arrays["pairs"])
    note = (
        "Percent. The frame of a character of the label is where its posterior or attention is "
        f"largest; frames differ if they are more than {TOLERANCE} apart. Words are those of seed "
        "0, the same for all nets; accuracy on rendered words is that on each seed's own, as many. "
        f"Pairs, in this order: seeds {pairs}."
    )
    columns = ("net", "set", "characters", "frames differ", "pair by pair", "accuracy by seed")
    return Table("Disagreement of pairs of seeds", columns, rows, [note], 2)


def _percents(counts: Iterable[int], of: Iterable[int]) -> str:
    return ", ".join(percent(int(c), int(n)) for c, n in zip(counts, of, strict=True))
