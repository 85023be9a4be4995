"""``dctc data stats``: lengths, characters and shapes of a set, and what CTC can align of it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dctc.data.archives.report import Report
from dctc.data.records.folders import count_records, open_environment
from dctc.data.records.images import UNDECODABLE

_QUANTILES = (0, 1, 50, 99, 100)  # percent
SHOWN = 20  # characters of the table


def set_stats(path: Path, protocol: Callable[[str], str], frames: int) -> dict[str, Any]:
    """Measure a set; labels after the protocol, images by their headers alone.

    A label fits into t frames if its length plus its adjacent repeats does (Graves et al., 2006).

    Args:
        path: LMDB folder.
        protocol: Applied to every label.
        frames: t.

    Returns:
        ``records``; ``labels`` that are not empty after the protocol; ``lengths``, ``aspects``
        (width over height) and ``heights`` (pixels) at 0, 1, 50, 99 and 100 %; ``too_long``,
        labels that do not fit into t frames; ``longest_need``, frames that the most demanding one
        needs; ``characters``, how often each occurs, the most frequent first; ``unreadable``
        images or labels.

    Raises:
        FileNotFoundError: If there is no LMDB.
        ValueError: If it is none, or nothing of it can be read.
    """
    lengths, needs, sizes = [], [], []
    characters: Counter[str] = Counter()
    records, unreadable = count_records(path), 0
    with open_environment(path).begin() as transaction:
        for record in range(1, records + 1):
            image = transaction.get(b"image-%09d" % record)
            try:
                label = protocol((transaction.get(b"label-%09d" % record) or b"").decode())
                with Image.open(io.BytesIO(image or b"")) as opened:
                    sizes.append(opened.size)
            except UNDECODABLE:  # UnicodeDecodeError is a ValueError
                unreadable += 1
                continue
            characters.update(label)
            if label:
                lengths.append(len(label))
                needs.append(len(label) + sum(a == b for a, b in pairwise(label)))
    if not lengths:
        raise ValueError(f"LMDB {path}: no label is left by this protocol; choose another one")
    width, height = np.array(sizes, dtype=float).T
    return {
        "records": records,
        "labels": len(lengths),
        "lengths": np.percentile(lengths, _QUANTILES).tolist(),
        "aspects": np.percentile(width / height, _QUANTILES).tolist(),
        "heights": np.percentile(height, _QUANTILES).tolist(),
        "too_long": int((np.array(needs) > frames).sum()),
        "longest_need": max(needs),
        "characters": dict(characters.most_common()),
        "unreadable": unreadable,
    }


def stats_table(stats: dict[str, dict[str, Any]], frames: int, protocol: str) -> Report:
    """Return the numbers of several sets beside each other.

    Args:
        stats: Set to the numbers of :func:`set_stats`.
        frames: t.
        protocol: Name of the protocol.
    """
    rows, notes = [], []
    for name, s in stats.items():
        length, aspect = s["lengths"], s["aspects"]
        rows.append(
            [
                name,
                f"{s['records']:,}",
                f"{s['labels']:,}",
                f"{length[2]:.0f} / {length[4]:.0f}",
                f"{aspect[1]:.1f} / {aspect[2]:.1f} / {aspect[3]:.1f}",
                f"{s['heights'][2]:.0f}",
                f"{len(s['characters']):,}",
                f"{100 * (s['labels'] - s['too_long']) / s['labels']:.2f}",
            ]
        )
        frequent = "".join(list(s["characters"])[:SHOWN])
        notes.append(f"{name}: needs up to {s['longest_need']} frames; most frequent {frequent}")
        if s["unreadable"]:
            notes.append(
                f"{name}: {s['unreadable']:,} records cannot be read; see dctc data verify"
            )
    columns = [
        "set",
        "records",
        "labels",
        "length 50/100%",
        "aspect 1/50/99%",
        "height 50%",
        "characters",
        f"fit {frames}, %",
    ]
    notes.append(
        f"Labels after {protocol}; fit: length plus adjacent repeats within {frames} frames"
    )
    return Report("Statistics", columns, rows, notes)
