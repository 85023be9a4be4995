"""Two arms during training: their validation accuracy after the same steps, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dctc.reporting.comparison import Row
from dctc.reporting.figures import read_metrics, read_parts
from dctc.reporting.registry import Record
from dctc.reporting.statistics import holm, paired_t
from dctc.reporting.tables import Table

METRIC = "val/accuracy"
_EXPLAINED = (
    "Percent of the validation words, means over {seeds} seeds, read after so many steps. "
    "Difference: points, with the 95 % interval of the paired t-test over seeds; p: of that test, "
    "corrected for the number of steps in this table (Holm)."
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
    tests = {str(i): paired_t(b[:, i] - a[:, i]) for i in range(len(steps))}
    p = holm({i: test[0] for i, test in tests.items()})
    cells = [
        [
            f"{step + 1:,}",  # logged as the number of steps before it
            f"{a[:, i].mean():.2f}",
            f"{b[:, i].mean():.2f}",
            "{:+.2f} [{:+.2f}, {:+.2f}]".format((b - a)[:, i].mean(), *tests[str(i)][1:]),
            f"{p[str(i)]:.3f}",
        ]
        for i, step in enumerate(steps)
    ]
    columns = ["steps", first.title, second.title, "difference", "p"]
    return Table(title, columns, cells, [_EXPLAINED.format(seeds=len(pairs)), *notes])


def read_accuracy(results: Path, record: Record) -> dict[int, float]:
    """Return the validation accuracy of a record's run by step; empty if it has no curve there."""
    curves = read_parts([results / "metrics" / f"{record.run}.csv"])  # published
    folder = results / record.arm / f"seed{record.seed}"
    mark = folder / "run_key"
    if not curves and mark.is_file() and mark.read_text().strip() == record.run:
        curves = read_metrics(folder)
    return dict(zip(*curves.get(METRIC, ([], [])), strict=True))
