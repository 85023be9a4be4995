"""Committed figures: their arrays, and pictures that are drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from experiments.figures.alignment_curves import draw_alignment_curves
from experiments.figures.clusters_figure import draw_clusters
from experiments.figures.published import PUBLISHED, Arrays, load_arrays, save_arrays, save_figure
from experiments.figures.scheme import draw_scheme
from experiments.figures.spikes_figure import draw_spikes

SCHEME = "figure2"  # drawn from no arrays
DRAW: dict[str, Callable[[Arrays], Figure]] = {
    "figure1": draw_spikes,
    "figure3": draw_alignment_curves,
    "figure4": draw_clusters,
    "figure4-chinese": draw_clusters,
}
FIGURES = tuple(sorted([SCHEME, *DRAW]))
MOST_BYTES = {".png": 400_000, ".svg": 1_000_000}  # ours, to keep the repository small


def publish_figures(runs: Path, names: Sequence[str], to: Path) -> list[Path]:
    """Copy the arrays of figures, ``<runs>/<name>/<name>.npz``, into ``<to>/figures``; draw them.

    A figure that is not among the runs is drawn anew from the arrays that are published. An SVG
    that is too large is left out.

    Args:
        runs: Folder of all runs.
        names: Of :data:`FIGURES`; runs of smaller scales bear other names.
        to: Folder of the committed evidence.

    Returns:
        The files that were written.

    Raises:
        FileNotFoundError: If a figure has not been made; nothing is written then.
        ValueError: If a PNG is too large.
    """
    folder = to / PUBLISHED.name
    sources = {name: _source(runs, name, folder) for name in names if name != SCHEME}
    files = []
    for name in names:
        if name == SCHEME:
            files += _draw(draw_scheme(), folder / name, None)
            continue
        arrays, published = load_arrays(sources[name]), folder / f"{name}.npz"
        if sources[name] != published:
            files.append(save_arrays(arrays, published))
        files += _draw(DRAW[name](arrays), folder / name, arrays)
    return files


def _source(runs: Path, name: str, folder: Path) -> Path:
    made, published = runs / name / f"{name}.npz", folder / f"{name}.npz"
    if not made.exists() and not published.exists():
        target = name.partition("-")[0]
        raise FileNotFoundError(
            f"{made}: not there; ./reproduce.sh {target} --scale small makes it"
        )
    return made if made.exists() else published


def _draw(figure: Figure, stem: Path, arrays: Arrays | None) -> list[Path]:
    kept = []
    for file in save_figure(figure, stem, arrays):
        size, most = file.stat().st_size, MOST_BYTES[file.suffix]
        if size <= most:
            kept.append(file)
            continue
        file.unlink()
        if file.suffix == ".png":
            raise ValueError(f"{file}: {size:,} bytes, more than the {most:,} that are published")
    return kept
