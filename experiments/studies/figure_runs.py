"""Trainings on rendered words that figures 1, 3 and 4 share, and the files of a figure's script."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from dctc.data.records.batch import Batch
from dctc.results.registry import runs_folder
from dctc.results.upload import LogMode, upload
from dctc.runs.net import load_model
from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.parallel import finish_all
from dctc.studies.runner import Finished
from dctc.studies.status import status_lines
from dctc.studies.study import FULL, Study
from dctc.tables import Table
from dctc.text import CTCTokenizer
from experiments.figures import Arrays
from experiments.figures.published import (
    DRAW,
    FIGURES,
    TABLES,
    load_arrays,
    save_arrays,
    save_figure,
)
from experiments.studies import PUBLISHED, load


def study(
    scale: str,
    arms: Sequence[str] = ("ctc", "dctc"),
    seeds: Sequence[int] | None = None,
    benchmarks: Benchmarks | None = None,
) -> Study:
    """Return the trainings of a figure; without ``seeds`` at those of the study."""
    found = load("figures", scale)
    chosen = {key: found.arms[key] for key in arms}
    if seeds is not None:
        chosen = {key: replace(arm, seeds=tuple(seeds)) for key, arm in chosen.items()}
    return replace(found, arms=chosen, benchmarks=benchmarks)


def check(
    name: str,
    options: Namespace,
    plans: Callable[[str], Sequence[Study]],
    only: Sequence[str] = (),
) -> None:
    """Check the options of a figure's script; ``--status`` and ``--from`` are done here and end it.

    ``plans`` gives its studies by scale; ``--only`` may name parts of ``only``, the first of which
    is the figure that has the name alone.
    """
    for part in options.only:
        if part not in only:
            raise ValueError(f"--only {part}: there are {', '.join(only) or 'no parts'}")
    if options.status:
        found = {plan.name: plan.runs() for plan in plans(options.scale)}
        print(*status_lines(found or {name: []}, PUBLISHED), sep="\n")
        raise SystemExit(0)
    if options.source:
        _draw_published(name, options, only)
        raise SystemExit(0)


def _draw_published(name: str, options: Namespace, only: Sequence[str]) -> None:
    if options.scale != FULL:
        raise ValueError(f"--from: figures of --scale {FULL} alone are published")
    for part in (found for found in FIGURES if found.partition("-")[0] == name):
        if options.only and (part.partition("-")[2] or only[0]) not in options.only:
            continue
        arrays = None
        if part in TABLES:
            arrays = load_arrays(Path(options.source) / "figures" / f"{part}.npz")
        given = () if arrays is None else (arrays,)
        table = None if arrays is None else TABLES[part](arrays)
        report_figure(part, FULL, "off", DRAW[part](*given), arrays, table)


def finish(plan: Study, options: Namespace) -> list[list[Finished]]:
    """Train and test what is missing; return the runs of each arm by seed."""
    finished = finish_all(plan.runs(), options.jobs, options.log)
    return [finished[i :: len(plan.arms)] for i in range(len(plan.arms))]


def load_nets(arms: Sequence[Sequence[Finished]]) -> tuple[list[list[Any]], CTCTokenizer]:
    """Load the trained nets of each arm by seed, and their tokenizer."""
    loaded = [[load_model(run.folder) for run in runs] for runs in arms]
    return [[one.net for one in row] for row in loaded], loaded[0][0].tokenizer


def test_batches(data: Any, most: int | None = None) -> Iterable[Batch]:
    """Yield the batches of the first test set of a DataModule, ``most`` at most."""
    data.setup("test")
    return islice(data.test_dataloader()[0], most)


def report_figure(
    name: str,
    scale: str,
    log: LogMode,
    figure: Figure,
    arrays: Arrays | None = None,
    table: Table | None = None,
    unsent: Mapping[str, Figure] | None = None,
) -> None:
    """Write a figure with its arrays and table, print the table and the files, log both.

    Files go to ``<runs>/<name>``, at other scales than ``small`` to ``<runs>/<name>-<scale>``.

    PNG and SVG are written, and the PNG is sent. ``unsent`` are further figures by name, which are
    written but never leave this machine.
    """
    target = name if scale == FULL else f"{name}-{scale}"
    out = runs_folder() / target
    endings = (".png", ".svg")
    sent = [save_figure(figure, out / f"{name}{ending}", arrays) for ending in endings]
    kept = [
        save_figure(drawn, out / f"{stem}{ending}")
        for stem, drawn in (unsent or {}).items()
        for ending in endings
    ]
    if arrays is not None:
        kept.append(save_arrays(arrays, out / f"{name}.npz"))
    console = Console()
    if table is not None:
        table.print(console)
        kept += table.write(out, "table")
    upload(target, log, {} if table is None else {"table": table}, sent)
    for file in [*sent, *kept]:
        console.print(f"written to {file}", highlight=False, soft_wrap=True)
