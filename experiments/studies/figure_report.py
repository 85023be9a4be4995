"""What a figure's script leaves: files below ``runs``, its table, and what goes to W&B."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console

from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.results.upload import upload
from dctc.training.logs import LogMode
from experiments.figures.published import Arrays, save_arrays, save_figure


def report_figure(
    name: str,
    scale: str,
    log: LogMode,
    figure: Figure,
    arrays: Arrays | None = None,
    table: Table | None = None,
    unsent: Mapping[str, Figure] | None = None,
) -> list[Path]:
    """Write a figure with its arrays and table, print the table, log both, say what was written.

    Files go to ``<runs>/<name>``, at other scales than ``small`` to ``<runs>/<name>-<scale>``.

    Args:
        name: Such as ``figure1``.
        scale: The scale of its trainings; ``small`` too if nothing is trained.
        log: W&B mode.
        figure: PNG and SVG are written; the PNG is sent.
        arrays: What it was drawn from.
        table: Its numbers.
        unsent: Further figures by name, which are written but never leave this machine.

    Returns:
        The files.
    """
    target = name if scale == "small" else f"{name}-{scale}"
    out = runs_folder() / target
    console = Console()
    sent = save_figure(figure, out / name, arrays)
    kept = [
        file for stem, drawn in (unsent or {}).items() for file in save_figure(drawn, out / stem)
    ]
    if arrays is not None:
        kept.append(save_arrays(arrays, out / f"{name}.npz"))
    if table is not None:
        table.print(console)
        kept += table.write(out, "table")
    upload(target, log, {} if table is None else {"table": table}, sent)
    for file in [*sent, *kept]:
        console.print(f"written to {file}", highlight=False, soft_wrap=True)
    return [*sent, *kept]
