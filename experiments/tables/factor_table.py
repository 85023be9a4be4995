"""The table of one factor: its levels, each compared with a reference of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.results.cells import (
    DIFFERENCE,
    DIFFERENCE_NOTE,
    UNKNOWN,
    detectable_notes,
    difference_cell,
    gains_cell,
    p_cell,
)
from dctc.results.comparison import ONE_SEED, Row, compare_rows, mark_one_seed
from dctc.results.hardware import row_hardware
from dctc.results.registry import Registry
from dctc.results.significance import holm
from dctc.results.tables import Table, drop_notes

NED = "NED (difference ± t)"  # heading
_EXPLAINED = (
    f"Percent, means over seeds. {DIFFERENCE_NOTE} p: paired t-test over seeds, corrected for the "
    "number of comparisons in this table (Holm); - where it is unknown. In brackets after NED: its "
    "difference over the same seeds, ± half the 95 % interval of its own t-test, not corrected."
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
    by_key = {row.key: row for row in rows}
    compared = compare_rows(registry, rows)
    p_values = holm({key: c.p for key, c in compared.items()})
    cells = []
    for row in rows:
        records = row.tested.values()
        accuracy = np.mean([100 * r.correct / r.n for r in records])
        ned = f"{np.mean([r.ned for r in records]):.2f}"
        against, difference = UNKNOWN, UNKNOWN
        if row.key in compared:
            reference = by_key[row.reference]
            against, difference = reference.title, difference_cell(compared[row.key])
            ned += f" ({_ned_cell(reference, row)})"
        p, name = p_cell(p_values.get(row.key)), row.title + mark_one_seed(row, compared)
        cells.append([name, str(len(records)), f"{accuracy:.2f}", ned, against, difference, p])
    explained = [_EXPLAINED]
    if any(mark_one_seed(row, compared) for row in rows):
        explained.append(
            f"{ONE_SEED} One seed, or one in common with its reference: the interval of the "
            "difference allows for the choice of samples only."
        )
    explained += detectable_notes({by_key[key].title: c for key, c in compared.items()})
    drops = drop_notes({r.set: r for row in rows[:1] for r in row.tested.values()})
    columns = ["trained", "seeds", "accuracy", NED, "compared with", DIFFERENCE, "p"]
    return Table(title, columns, cells, [*explained, *row_hardware(rows), *drops, *notes])


def _ned_cell(reference: Row, row: Row) -> str:
    seeds = sorted(reference.tested.keys() & row.tested.keys())
    gains = np.array([row.tested[seed].ned - reference.tested[seed].ned for seed in seeds])
    return gains_cell(gains)
