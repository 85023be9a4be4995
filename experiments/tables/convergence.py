"""Two arms during training: their validation accuracy after the same steps, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dctc.results.cells import DETECTABLE_NOTE, detectable_cell, p_cell, t_cell
from dctc.results.comparison import Row
from dctc.results.hardware import row_hardware
from dctc.results.power import detectable_over_seeds
from dctc.results.registry import Record
from dctc.results.significance import holm, paired_t
from dctc.results.tables import Table
from experiments.figures.curves import read_metrics, read_parts

METRIC = "val/accuracy"
_EXPLAINED = (
    "Percent of the validation words, means over {seeds} seeds, read after so many steps. "
    "Difference: points, ± half the 95 % interval of the paired t-test over seeds; p: of that "
    "test, corrected for the number of steps in this table (Holm). Unknown (p -) where the "
    "differences of the seeds are all equal."
)


def convergence_table(
    title: str, results: Path, first: Row, second: Row, notes: Sequence[str] = ()
) -> Table | None:
    """Return one row for each step at which the curves of both arms have a value.

    Args:
        title: Heading.
        results: Folder of runs, or of published results, where the curves lie.
        first: The reference.
        second: What is compared with it.
        notes: Lines below the table.

    Returns:
        The table; None if fewer than two seeds have curves of both arms.
    """
    pairs = [
        pair
        for seed in sorted(first.tested.keys() & second.tested.keys())
        if all(pair := [read_accuracy(results, row.tested[seed]) for row in (first, second)])
    ]
    if len(pairs) < 2:
        return None
    steps = sorted(set.intersection(*(set(curve) for pair in pairs for curve in pair)))
    values = 100 * np.array([[[c[step] for step in steps] for c in pair] for pair in pairs])
    a, b = values[:, 0], values[:, 1]  # each (seeds, steps)
    tests = {str(step): paired_t(own) for step, own in zip(steps, (b - a).T, strict=True)}
    p = holm({step: test.p for step, test in tests.items()})
    cells = [
        [
            f"{step + 1:,}",  # logged as the number of steps before it
            f"{a[:, i].mean():.2f}",
            f"{b[:, i].mean():.2f}",
            t_cell(float((b - a)[:, i].mean()), tests[str(step)]),
            p_cell(p.get(str(step))),
            detectable_cell(detectable_over_seeds((b - a)[:, i])),
        ]
        for i, step in enumerate(steps)
    ]
    columns = ["steps", first.title, second.title, "difference ± t", "p", "detectable"]
    hardware = row_hardware([first, second])
    explained = [_EXPLAINED.format(seeds=len(pairs)), DETECTABLE_NOTE, *hardware]
    return Table(title, columns, cells, [*explained, *notes])


def read_accuracy(results: Path, record: Record) -> dict[int, float]:
    """Return the validation accuracy of a record's run by step; empty if it has no curve there."""
    curves = read_parts([results / "metrics" / f"{record.run}.csv"])  # published
    folder = results / record.arm / f"seed{record.seed}"
    mark = folder / "run_key"
    if not curves and mark.is_file() and mark.read_text().strip() == record.run:
        curves = read_metrics(folder)
    return dict(zip(*curves.get(METRIC, ([], [])), strict=True))
