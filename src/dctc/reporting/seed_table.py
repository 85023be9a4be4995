"""Two arms seed by seed: which samples one of them alone reads, and McNemar's test of each seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dctc.reporting.comparison import Row, paired_hits
from dctc.reporting.registry import Registry
from dctc.reporting.statistics import mcnemar_p
from dctc.reporting.tables import Table, percent

_EXPLAINED = (
    "Only: samples that this one read right and the other did not. p: McNemar's test of the two "
    "nets of that seed, two-sided, not corrected for the number of seeds. It allows for the choice "
    "of samples only, and is not pooled over seeds: they read the same samples."
)


def seed_table(
    title: str, registry: Registry, first: Row, second: Row, notes: Sequence[str] = ()
) -> Table:
    """Return one row for each seed that both arms have.

    Args:
        title: Heading.
        registry: Where the hits lie.
        first: The reference.
        second: What is compared with it.
        notes: Lines below the table.

    Raises:
        ValueError: If the two were not scored on the same samples, or not trained as long.
    """
    seeds = sorted(first.tested.keys() & second.tested.keys())
    rows = []
    for seed in seeds:
        of_seed = ({seed: row.tested[seed]} for row in (first, second))
        (a,), (b,) = paired_hits(registry, *of_seed)
        rows.append(
            [
                str(seed),
                percent(a.sum(), len(a)),
                percent(b.sum(), len(b)),
                f"{np.sum(a & ~b):,}",
                f"{np.sum(~a & b):,}",
                _p(mcnemar_p(a, b)),
            ]
        )
    names = (first.title, second.title)
    columns = ["seed", *names, *(f"{name} only" for name in names), "p"]
    return Table(title, columns, rows, [_EXPLAINED, *notes])


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else "<.001"
