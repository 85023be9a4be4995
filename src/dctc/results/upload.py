"""Report of tables and figures: printed, written to files, and logged to Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console

from dctc.results.registry import runs_folder

if TYPE_CHECKING:  # training needs the mode, and not what tables and figures import
    from matplotlib.figure import Figure

    from dctc.tables import Table

LogMode = Literal["offline", "online", "off"]
WANDB_PROJECT = "dctc"


def wandb_silent(log: LogMode) -> None:
    """Silence W&B's own messages unless it is online; WANDB_SILENT, if set, is obeyed instead."""
    os.environ.setdefault("WANDB_SILENT", "true" if log == "offline" else "false")


def check_key(log: LogMode) -> None:
    """Refuse to log online without a key of W&B, which asks for one when training has begun.

    Where WANDB_MODE is set, W&B does not say whether it has one.

    Raises:
        ValueError: If there is none.
    """
    if log != "online" or os.environ.get("WANDB_MODE", "online") != "online":
        return
    import wandb  # here, because it takes a second

    if "prompt" in signature(wandb.login).parameters:
        known = wandb.login(prompt=False, verify=False)
    else:
        known = bool(wandb.api.api_key)
    if not known:
        raise ValueError(
            "--log online: W&B has no API key here; store one with wandb login or set "
            "WANDB_API_KEY, or take --log offline"
        )


def upload(target: str, log: LogMode, tables: Mapping[str, Table], files: Sequence[Path]) -> None:
    """Log the tables and figures of a target as one W&B run in the group of the target.

    The run's configuration holds title and notes of each table. Of the files of figures those that
    W&B displays are logged, PNGs. With ``off`` nothing is done.
    """
    if log == "off":
        return
    check_key(log)
    import wandb

    wandb_silent(log)
    folder = runs_folder() / target
    folder.mkdir(parents=True, exist_ok=True)
    shown: dict[str, Any] = {
        name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
        for name, table in tables.items()
    } | {file.stem: wandb.Image(str(file)) for file in files if file.suffix == ".png"}
    with wandb.init(
        project=WANDB_PROJECT,
        group=target,
        name=f"{target}/report",
        job_type="report",
        mode=log,
        dir=str(folder),
        config={name: {"title": t.title, "notes": list(t.notes)} for name, t in tables.items()},
    ) as run:
        run.log(shown)


def report(
    target: str,
    log: LogMode,
    tables: Mapping[str, Table],
    figures: Mapping[str, Figure] | None = None,
) -> None:
    """Print the tables of a target, write them and its figures to files, and log them to W&B.

    The files go to the folder of that name below the runs.
    """
    out, console = runs_folder() / target, Console()
    for name, table in tables.items():
        console.print()
        table.print(console)
        table.write(out, name)
    if not tables:
        console.print(f"{target}: no finished runs to draw a table of.", highlight=False)
        return
    from dctc.results.plots import save_figure  # here: it imports matplotlib

    drawn = [
        save_figure(figure, out / f"{name}{suffix}")
        for name, figure in (figures or {}).items()
        for suffix in (".png", ".svg")
    ]
    upload(target, log, tables, drawn)
    text = f"written to {out}: {', '.join(tables)} (.md, .csv)"
    text += f"; {', '.join(figures)} (.png, .svg)" if figures else ""
    console.print(text, highlight=False, soft_wrap=True)
