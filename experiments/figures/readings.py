"""Sheets of sample readings: images with their label and what each of two arms predicted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from dctc.data.records.batch import Batch
from experiments.figures import COLOURS
from experiments.figures.curves import draw_message

# How many samples of each kind a sheet shows: (first arm right, second arm right) -> number
KINDS = {(True, True): 4, (False, True): 6, (True, False): 6, (False, False): 4}

# Inches of an image with its label above; of a line of text; characters that fit in a line
CELL_WIDTH, CELL_HEIGHT, LINE_HEIGHT = 2.5, 0.85, 0.16
CELL_CHARACTERS = 30


class Reading(NamedTuple):
    """An image with its predictions.

    Attributes:
        image: ``(h, w, ch)`` uint8.
        label: The true text.
        predictions: What each arm predicted.
    """

    image: np.ndarray
    label: str
    predictions: Sequence[str]


def choose(
    labels: Mapping[str, str], predictions: Sequence[Mapping[str, str]], kinds: dict = KINDS
) -> list[str]:
    """Return the keys of samples to show: the first of each kind, in the order of the set.

    Labels, and predictions of two arms, are by key.
    """
    first, second = predictions
    chosen: list[str] = []
    for kind, count in kinds.items():
        alike = (k for k, text in labels.items() if (first[k] == text, second[k] == text) == kind)
        chosen.extend(islice(alike, count))
    return chosen


def with_images(
    keys: Sequence[str],
    labels: Mapping[str, str],
    predictions: Sequence[Mapping[str, str]],
    batches: Iterable[Batch],
) -> list[Reading]:
    """Return the samples of some keys with their images; no more batches are made than needed.

    Labels, and predictions of each arm, are by key.
    """
    wanted = set(keys)
    images = {}
    for batch in batches:
        for key, image in zip(batch.key, batch.image, strict=True):
            if key in wanted:
                images[key] = ((image + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        if len(images) == len(wanted):
            break
    return [Reading(images[key], labels[key], [p[key] for p in predictions]) for key in keys]


def draw_readings(readings: Sequence[Reading], arms: Sequence[str], title: str) -> Figure:
    """Draw images with their label and each arm's prediction, wrong ones in the second colour."""
    if not readings:
        return draw_message(f"{title}: no readings to show.")
    columns = min(4, len(readings))
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
    return figure


def _shortened(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 3]}..."
