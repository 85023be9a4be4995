"""Character boxes of the packaged nets against the true extents of rendered words."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from dctc.bench.measure import report
from dctc.bench.peers import BATCH, Crops
from dctc.data.records.batch import Corrupt
from dctc.data.records.images import as_png
from dctc.data.records.sampler import Draw
from dctc.data.rendered import RenderedDataModule
from dctc.reading.reader import Reader
from dctc.tables import Table

MODELS = ("scene_ctc", "scene_dctc")
WORDS = {"tiny": 20, "smoke": 600, "small": 3000}


def bench_boxes(scale: str) -> None:
    """Compare boxes with true extents, in words that are read right; print a table.

    The words are those of Python's documentation, drawn in the fonts that come with matplotlib.

    Args:
        scale: How many words.
    """
    reader = Reader.from_pretrained(MODELS[0], device="cpu")
    drawn = RenderedDataModule(
        height=reader.size.height,
        width=reader.size.width,
        charset=reader.tokenizer.charset.name,
        preset="scene",
        val_size=WORDS[scale],
        num_workers=0,
    )
    drawn.setup("validate")
    (words,) = drawn.val_sets.values()
    samples: list[Any] = [words[Draw(i, i)] for i in range(len(words))]
    rows = [{"model": model, **_measure(model, samples)} for model in MODELS]
    report("boxes", scale, {"words": len(samples), "rows": rows}, boxes_table)


def _measure(model: str, samples: list[Any]) -> dict[str, Any]:
    reader = Reader.from_pretrained(model, device="cpu")
    crops: Any = Crops([as_png(Image.fromarray(s.image)) for s in samples], reader.size)
    overlaps: list[float] = []
    right = 0
    for read, sample in zip(reader.read(crops, BATCH, characters=True), samples, strict=True):
        if isinstance(read.found, Corrupt) or read.found.prediction != sample.label:
            continue
        right += 1
        overlaps += intersection_over_union(
            np.array([character.limits for character in read.characters]), sample.extents
        ).tolist()
    return {
        "right": right,
        "characters": len(overlaps),
        "mean_iou": float(np.mean(overlaps)),
        "above_half": float(np.mean(np.array(overlaps) > 0.5)),
    }


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return how well intervals ``(s, 2)`` overlap, ``(s,)``; boxes are as high as the line."""
    common = np.minimum(a[:, 1], b[:, 1]) - np.maximum(a[:, 0], b[:, 0])
    whole = np.ptp(a, axis=1) + np.ptp(b, axis=1) - common.clip(min=0)
    return np.asarray(common.clip(min=0) / whole)


def boxes_table(measured: dict[str, Any]) -> Table:
    """Return the table of what :func:`bench_boxes` has written."""
    rows = [
        [
            row["model"],
            f"{row['right']:,}",
            f"{row['characters']:,}",
            f"{row['mean_iou']:.3f}",
            f"{100 * row['above_half']:.1f}",
        ]
        for row in measured["rows"]
    ]
    note = (
        f"Of {measured['words']:,} rendered words, those that a net reads right. Intersection over "
        "union of the boxes of dctc read --boxes and the true extents of the characters. One "
        "training run of each net."
    )
    columns = ["model", "words read right", "characters", "mean IoU", "IoU above 0.5, %"]
    return Table("Character boxes", columns, rows, [note])
