"""Tables and figures of a target, to Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.training.logs import WANDB_PROJECT, LogMode

PICTURES = (".png",)  # what W&B shows of a figure's files


def upload(
    target: str, log: LogMode, tables: Mapping[str, Table], files: Sequence[Path] = ()
) -> None:
    """Log the tables and figures of a target as a run of its group.

    The notes below a table are in the run's configuration, under the table's name.

    Args:
        target: Name of the target, and of the group.
        log: W&B mode; with ``off`` nothing is done.
        tables: By name.
        files: Files of figures; those that are pictures are sent.
    """
    if log == "off":
        return
    import wandb  # here, because it takes a second

    os.environ.setdefault("WANDB_SILENT", "true" if log == "offline" else "false")
    folder = runs_folder() / target
    folder.mkdir(parents=True, exist_ok=True)
    shown: dict[str, Any] = {
        name: wandb.Table(columns=list(table.columns), data=[list(row) for row in table.rows])
        for name, table in tables.items()
    }
    shown |= {file.stem: wandb.Image(str(file)) for file in files if file.suffix in PICTURES}
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


def report(target: str, log: LogMode, tables: Mapping[str, Table], console: Console) -> None:
    """Print the tables of a target, write them as Markdown and CSV, and log them.

    Args:
        target: Name of the target, and of its folder below that of all runs.
        log: W&B mode.
        tables: By name.
        console: Where to print.
    """
    out = runs_folder() / target
    for name, table in tables.items():
        console.print()
        table.print(console)
        table.write(out, name)
    if not tables:
        console.print(f"{target}: no finished runs to draw a table of.", highlight=False)
        return
    upload(target, log, tables)
    text = f"written to {out}: {', '.join(tables)} (.md, .csv)"
    console.print(text, highlight=False, soft_wrap=True)
