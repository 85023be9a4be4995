"""Published figures: their arrays on disk, and the pictures that are drawn from these."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dctc.files import replacing, write_whole
from dctc.results import plots
from dctc.tables import Table
from experiments.figures import Arrays
from experiments.figures.alignment_curves import draw_alignment_curves, last_values
from experiments.figures.clusters import cohesion_table, draw_clusters
from experiments.figures.scheme import draw_scheme
from experiments.figures.spikes_figure import draw_one_word, draw_spikes, rate_table

PUBLISHED = Path(__file__).parents[1] / "results" / "figures"
MOST = 2 * 2**20  # bytes of the arrays of a figure; they are committed
MOST_PNG = 400_000  # bytes of a picture; ours, to keep the repository small
DRAWN_FROM = "Arrays"  # keyword of a PNG's metadata

DRAW: dict[str, Callable[..., Figure]] = {
    "figure1": draw_spikes,
    "figure2": draw_scheme,
    "figure3": draw_alignment_curves,
    "figure4": draw_clusters,
    "figure4-chinese": draw_clusters,
    "one_word": draw_one_word,
}
FIGURES = tuple(DRAW)
# Of each figure that is drawn from arrays, the table of its numbers; the others need none
TABLES: dict[str, Callable[..., Table]] = {
    "figure1": rate_table,
    "figure3": last_values,
    "figure4": cohesion_table,
    "figure4-chinese": cohesion_table,
}


def save_figure(figure: Figure, file: Path, arrays: Arrays | None = None) -> Path:
    """Write a figure, with the :func:`digest` of what it was drawn from in a PNG's metadata."""
    drawn_from = {} if arrays is None else {DRAWN_FROM: digest(arrays)}
    return plots.save_figure(figure, file, drawn_from)


def digest(arrays: Arrays) -> str:
    """Return a hash of arrays that does not depend on the file they are in."""
    content = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        content.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        content.update(array.tobytes())
    return content.hexdigest()[:16]


def save_arrays(arrays: Arrays, file: Path) -> Path:
    """Write the arrays of a figure, compressed.

    Raises:
        ValueError: If they take more than :data:`MOST` bytes.
    """
    with replacing(file) as partial:
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
        size = partial.stat().st_size
        if size > MOST:
            raise ValueError(f"{file}: {size:,} bytes, more than the {MOST:,} that are published")
    return file


def load_arrays(file: Path) -> dict[str, np.ndarray]:
    """Read the arrays that :func:`save_arrays` wrote."""
    with np.load(file) as stored:
        return dict(stored)


def show(name: str) -> Figure:
    """Draw a published figure, one of :data:`FIGURES`, from its arrays."""
    arrays = [load_arrays(PUBLISHED / f"{name}.npz")] if name in TABLES else []
    return DRAW[name](*arrays)


def number_table(name: str, **options: Any) -> Table:
    """Return the numbers of a published figure, one of :data:`TABLES`; options are those of it."""
    return TABLES[name](load_arrays(PUBLISHED / f"{name}.npz"), **options)


def publish_figures(runs: Path, names: Sequence[str], to: Path) -> list[Path]:
    """Copy the arrays of figures, ``<runs>/<name>/<name>.npz``, into ``<to>/figures``; draw them.

    Without arrays among the runs, the published ones are drawn again. Runs of smaller scales have
    other names, so they are never copied.

    Returns:
        The files that were written.

    Raises:
        FileNotFoundError: If a figure has not been made; nothing is written then.
        ValueError: If arrays or a picture are too large.
    """
    folder = to / PUBLISHED.name
    sources = {name: _find(runs, folder, name) for name in names if name in TABLES}
    arrays = {name: load_arrays(file) for name, file in sources.items()}
    with tempfile.TemporaryDirectory() as drawn:  # nothing is published unless all of it can be
        made = [
            save_arrays(arrays[name], Path(drawn) / file.name)
            for name, file in sources.items()
            if file.parent != folder
        ]
        for name in names:
            own, draw = arrays.get(name), DRAW[name]
            picture = Path(drawn) / f"{name}.png"
            save_figure(draw() if own is None else draw(own), picture, own)
            if (size := picture.stat().st_size) > MOST_PNG:
                raise ValueError(
                    f"{picture.name}: {size:,} bytes, more than the {MOST_PNG:,} of a picture"
                )
            made.append(picture)
        for file in made:
            write_whole(folder / file.name, file.read_bytes())
    return [folder / file.name for file in made]


def _find(runs: Path, folder: Path, name: str) -> Path:
    made, published = runs / name / f"{name}.npz", folder / f"{name}.npz"
    if not made.exists() and not published.exists():
        target = name.partition("-")[0]
        raise FileNotFoundError(f"{made}: missing; ./reproduce.sh {target} --scale small makes it")
    return made if made.exists() else published
