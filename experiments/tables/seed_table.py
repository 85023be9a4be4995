"""Arms seed by seed: which samples one of two alone reads, and McNemar's test of each seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.results.cells import DETECTABLE_ONE_SEED_NOTE, detectable_cell, p_cell
from dctc.results.comparison import Row, paired_hits
from dctc.results.hardware import row_hardware
from dctc.results.power import detectable_over_samples
from dctc.results.registry import Registry
from dctc.results.significance import mcnemar_p
from dctc.results.tables import Table, percent

_EXPLAINED = (
    "Own: accuracy of the loss; its: of what it is compared with. Only: samples that this one read "
    "right and the other did not. p: McNemar's test of the two nets of that seed, two-sided, not "
    "corrected for the number of rows. It allows for the choice of samples only, and is not pooled "
    "over seeds: they read the same samples."
)


def seed_table(
    title: str, registry: Registry, rows: Sequence[Row], notes: Sequence[str] = ()
) -> Table | None:
    """Return one row for each seed that an arm and its reference both have.

    Args:
        title: Heading.
        registry: Where the hits lie.
        rows: The arms and their references.
        notes: Lines below the table.

    Returns:
        The table; None if no arm has a seed in common with its reference.

    Raises:
        ValueError: If two that are compared were not scored on the same samples, or not trained as
            long.
    """
    by_key = {row.key: row for row in rows}
    pairs = [(by_key[row.reference], row) for row in rows if row.reference in by_key]
    cells = [
        [row.title, other.title, *_of_seed(registry, other, row, seed)]
        for other, row in pairs
        for seed in sorted(other.tested.keys() & row.tested.keys())
    ]
    if not cells:
        return None
    columns = ["loss", "compared with", "seed", "its", "own", "its only", "own only", "p"]
    explained = [_EXPLAINED, DETECTABLE_ONE_SEED_NOTE, *row_hardware(rows)]
    return Table(title, [*columns, "detectable"], cells, [*explained, *notes], text_columns=2)


def _of_seed(registry: Registry, first: Row, second: Row, seed: int) -> list[str]:
    (a,), (b,) = paired_hits(registry, *({seed: row.tested[seed]} for row in (first, second)))
    return [
        str(seed),
        *(percent(hits.sum(), len(hits)) for hits in (a, b)),
        f"{np.sum(a & ~b):,}",
        f"{np.sum(~a & b):,}",
        p_cell(mcnemar_p(a, b)),
        detectable_cell(detectable_over_samples(a, b)),
    ]
