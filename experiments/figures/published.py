"""Figures and the arrays that they are drawn from: written by a run, shown by a notebook."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from dctc.files import replacing

PUBLISHED = Path("experiments/results/figures")
MOST = 2 * 2**20  # bytes of the arrays of a figure; they are committed
DRAWN_FROM = "Arrays"  # keyword of a PNG's metadata

Arrays = Mapping[str, np.ndarray]


def save_figure(figure: Figure, stem: Path, arrays: Arrays | None = None) -> list[Path]:
    """Write ``<stem>.png`` and ``<stem>.svg``, the same bytes for the same figure.

    Args:
        figure: What to write.
        stem: Path without ending.
        arrays: What it was drawn from; their :func:`digest` is in the PNG's metadata.

    Returns:
        The files.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg = stem.with_suffix(".png"), stem.with_suffix(".svg")
    drawn_from = {} if arrays is None else {DRAWN_FROM: digest(arrays)}
    figure.savefig(png, dpi=150, metadata=drawn_from)
    with mpl.rc_context({"svg.hashsalt": "dctc"}):
        figure.savefig(svg, metadata={"Date": None})
    return [png, svg]


def digest(arrays: Arrays) -> str:
    """Return a hash of arrays, whatever file they are in."""
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
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        np.savez_compressed(partial, **arrays)  # type: ignore[arg-type]
        size = partial.stat().st_size
        if size > MOST:
            raise ValueError(f"{file}: {size:,} bytes, more than the {MOST:,} that are published")
    return file


def load_arrays(file: Path) -> dict[str, np.ndarray]:
    """Read what :func:`save_arrays` wrote."""
    with np.load(file) as stored:
        return dict(stored)


def show(name: str, draw: Callable[[Arrays], Figure]) -> Figure | None:
    """Draw a published figure; where it is not published, say how it is made.

    Looks for ``experiments/results`` in the working directory and in the one above.

    Args:
        name: Such as ``figure1``.
        draw: Draws it from its arrays.
    """
    for root in (Path.cwd(), Path.cwd().parent):
        file = root / PUBLISHED / f"{name}.npz"
        if file.exists():
            return draw(load_arrays(file))
    target = name.partition("-")[0]  # which may make more than one
    print(
        f"{name} is not published yet: ./reproduce.sh {target} --scale small makes it, "
        f"./reproduce.sh publish --figures {name} puts it into {PUBLISHED}"
    )
    return None
