"""``dctc data stats``: lengths, characters and shapes of a set, and what CTC can align of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dctc.data.archives.processes import ENDS, in_processes, refuse
from dctc.data.archives.verify import label_fault
from dctc.data.records.folders import count_records, label_text, read_record, reading
from dctc.data.records.image_size import WIDTH_STEP, ImageSize
from dctc.data.records.images import ImageError, upright_size
from dctc.data.render.texts import frames_needed
from dctc.tables import Table

_QUANTILES = (0, 1, 50, 99, 100)  # percent
MEASURED = 1000  # ours: images of an LMDB whose width is looked at, about
SHOWN = 20  # characters of the table


@dataclass
class Stats:
    """Statistics of a set; lists are at 0, 1, 50, 99 and 100 % of labels or images."""

    records: int
    labels: int  # not empty after the protocol
    lengths: list[float]  # of labels
    aspects: list[float]  # width over height
    heights: list[float]  # pixels
    too_long: int  # labels that do not fit into t frames
    longest_need: int  # frames that the most demanding label needs
    characters: dict[str, int]  # how often each occurs, the most frequent first
    unreadable: int  # images or labels that cannot be read
    broken: dict[str, int]  # labels by what is wrong with them as stored


def set_stats(path: Path, protocol: Callable[[str], str], frames: int) -> Stats:
    """Measure a set; labels after the protocol, images by their headers alone.

    A label fits into t frames if its length plus its adjacent repeats does (Graves et al., 2006).

    Raises:
        FileNotFoundError: If there is no LMDB.
        ValueError: If it is none, is damaged, or nothing of it can be read.
    """
    lengths, needs, sizes = [], [], []
    characters, broken = Counter[str](), Counter[str]()
    records, unreadable = count_records(path), 0
    with reading(path) as transaction:
        for number in range(1, records + 1):
            stored = read_record(transaction, number)
            try:
                label = protocol(label_text(stored.label or b""))
                sizes.append(upright_size(stored.image or b""))
            except ValueError:  # ImageError, or UnicodeDecodeError
                unreadable += 1
                continue
            characters.update(label)
            if fault := label_fault(stored.label):
                broken[fault] += 1
            if label:
                lengths.append(len(label))
                needs.append(frames_needed(label))
    if unreadable == records:
        raise ValueError(f"LMDB {path}: none of {records:,} records can be read; verify it")
    if not lengths:
        raise ValueError(f"LMDB {path}: no label is left by this protocol; choose another one")
    width, height = np.array(sizes, dtype=float).T
    return Stats(
        records,
        len(lengths),
        np.percentile(lengths, _QUANTILES).tolist(),
        np.percentile(width / height, _QUANTILES).tolist(),
        np.percentile(height, _QUANTILES).tolist(),
        sum(need > frames for need in needs),
        max(needs),
        dict(characters.most_common()),
        unreadable,
        dict(broken),
    )


def measure(
    sets: Mapping[str, Path], protocol: Callable[[str], str], frames: int
) -> dict[str, Stats | str]:
    """Measure several sets, see :func:`set_stats`; the reason in place of one that cannot be read.

    The protocol has to be picklable.
    """
    one = partial(_stats_or_reason, protocol=protocol, frames=frames)
    return dict(zip(sets, in_processes(one, sets.values(), 1, lambda path: [ENDS]), strict=True))


def _stats_or_reason(path: Path, protocol: Callable[[str], str], frames: int) -> Stats | str:
    try:
        return set_stats(path, protocol, frames)
    except (ValueError, OSError) as error:
        return str(error).removeprefix(f"LMDB {path}: ")


def width_of_most(paths: Sequence[Path], size: ImageSize) -> int:
    """Return the pixels that 99 % of the images of some LMDBs fit into; 0 if none can be read.

    Of each LMDB about a thousand images, evenly spaced, are looked at.

    Args:
        paths: LMDB folders.
        size: How high images are, and which are turned before they are resized.
    """
    each = in_processes(partial(_widths, size=size), paths, 1, refuse)
    widths = [width for some in each for width in some]
    wide = float(np.quantile(widths, 0.99)) if widths else 0.0
    return -(-round(wide) // WIDTH_STEP) * WIDTH_STEP


def _widths(path: Path, size: ImageSize) -> list[float]:
    records, widths = count_records(path), []
    with reading(path) as transaction:
        for number in range(1, records + 1, max(1, records // MEASURED)):
            try:
                w, h = upright_size(read_record(transaction, number).image or b"")
            except ImageError:
                continue  # it is named when it is trained on
            if size.turn(w, h) is not None:
                w, h = h, w
            widths.append(w * size.height / h)
    return widths


def stats_table(found: Mapping[str, Stats | str], frames: int, protocol: str) -> Table:
    """Return the numbers of several sets beside each other, and why some have none."""
    rows, notes = [], []
    for name, s in found.items():
        if isinstance(s, str):
            notes.append(f"BROKEN {name}: {s}")
            continue
        row = [
            name,
            f"{s.records:,}",
            f"{s.labels:,}",
            f"{s.lengths[2]:.0f}/{s.lengths[4]:.0f}",
            "/".join(f"{aspect:.1f}" for aspect in s.aspects[1:4]),
            f"{s.heights[2]:.0f}",
            f"{len(s.characters):,}",
            f"{100 * (s.labels - s.too_long) / s.labels:.2f}",
        ]
        rows.append(row)
        frequent = "".join(list(s.characters)[:SHOWN])
        notes.append(f"{name}: needs up to {s.longest_need} frames; most frequent {frequent}")
        if s.unreadable:
            notes.append(f"{name}: {s.unreadable:,} records cannot be read; see dctc data verify")
        notes += [f"{name}: {n:,} records: {fault}" for fault, n in s.broken.items()]
    fit = f"fit {frames}, %"
    columns = ["set", "records", "labels", "length 50/100%", "aspect 1/50/99%", "height 50%"]
    notes.append(
        f"Labels after {protocol}; fit: length plus adjacent repeats within {frames} frames"
    )
    return Table("Statistics", [*columns, "chars", fit], rows, notes)
