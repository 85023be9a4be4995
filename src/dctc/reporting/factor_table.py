"""The table of one factor: its levels, each compared with a reference of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.reporting.comparison import ONE_SEED, Row, compare_rows
from dctc.reporting.registry import Registry
from dctc.reporting.statistics import holm
from dctc.reporting.tables import Table, drop_notes

_EXPLAINED = (
    "Percent, means over seeds. Difference: points of accuracy, with the 95 % interval of the "
    "paired two-level bootstrap over the seeds that both have and over samples. p: paired t-test "
    "over seeds, corrected for the number of comparisons in this table (Holm)."
)


def factor_table(
    title: str, registry: Registry, rows: Sequence[Row], notes: Sequence[str] = ()
) -> Table:
    """Return accuracy and NED of each level, and its difference to its reference.

    Below the table stands the least difference that each comparison could have found.

    Args:
        title: Heading.
        registry: Where the hits lie.
        rows: The levels; those without a result are left out.
        notes: Lines below the table.

    Raises:
        ValueError: If a level and its reference were not scored on the same samples, or not
            trained as long.
    """
    rows = [row for row in rows if row.tested]
    titles = {row.key: row.title for row in rows}
    compared = compare_rows(registry, rows)
    p_values = holm({key: c.p for key, c in compared.items() if c.p is not None})
    cells = []
    for row in rows:
        records = row.tested.values()
        accuracy = np.mean([100 * r.correct / r.n for r in records])
        ned = np.mean([100 * r.similarity / r.n for r in records])
        against, difference = "-", "-"
        if row.key in compared:
            c = compared[row.key]
            against = titles[row.reference]
            difference = f"{c.points:+.2f} [{c.low:+.2f}, {c.high:+.2f}]"
        p = f"{p_values[row.key]:.3f}" if row.key in p_values else "-"
        name = row.title + (ONE_SEED if len(records) == 1 else "")
        cells.append(
            [name, str(len(records)), f"{accuracy:.2f}", f"{ned:.2f}", against, difference, p]
        )
    explained = [_EXPLAINED]
    if any(len(row.tested) == 1 for row in rows):
        explained.append(
            f"{ONE_SEED} One seed: its interval allows for the choice of samples only."
        )
    if found := [f"{titles[key]} {c.detectable:.2f}" for key, c in compared.items()]:
        explained.append(
            "Least true difference that such a comparison finds with a probability of 80 %, in "
            f"points: {', '.join(found)}."
        )
    drops = drop_notes({r.set: r for row in rows[:1] for r in row.tested.values()})
    columns = ["trained", "seeds", "accuracy", "NED", "compared with", "difference", "p"]
    return Table(title, columns, cells, [*explained, *drops, *notes])
