"""The table of losses: accuracy, difference to the reference and cost of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dctc.bench.losses import Cost
from dctc.results.cells import (
    DIFFERENCE,
    DIFFERENCE_NOTE,
    UNCORRECTED,
    UNKNOWN,
    detectable_notes,
    difference_cell,
    interval_cell,
    p_cell,
)
from dctc.results.comparison import ONE_SEED, Row, compare_rows, mark_one_seed, read_hits
from dctc.results.hardware import row_hardware
from dctc.results.registry import Registry
from dctc.results.significance import NO_TEST, holm, paired_t
from dctc.results.statistics import Comparison, bootstrap_interval
from dctc.results.tables import Table, drop_notes

OTHER_REFERENCE = "†"
BENCH = "dctc bench --what losses"


def comparison_table(
    title: str,
    registry: Registry,
    rows: Sequence[Row],
    costs: Mapping[str, Cost],
    notes: Sequence[str] = (),
) -> Table:
    """Return accuracy, NED, difference to the reference, p and cost of each arm.

    The p of all comparisons that do not stand alone (:class:`Row`) are corrected together.

    Args:
        title: Heading.
        registry: Where the hits lie.
        rows: The arms; the first is the reference of most.
        costs: What they cost relative to CTC, by key.
        notes: Lines below the table.
    """
    rows = [row for row in rows if row.tested]
    compared = compare_rows(registry, rows)
    family = [row.key for row in rows if row.key in compared and not row.alone]
    corrected = holm({key: compared[key].p for key in family})
    cells = []
    for row in rows:
        cost = costs.get(row.key)
        name = row.title + mark_one_seed(row, compared)
        name += OTHER_REFERENCE if row.reference and row.reference != rows[0].key else ""
        difference, p = UNKNOWN, UNKNOWN
        if row.key in compared:
            c = compared[row.key]
            difference = difference_cell(c)
            p = p_cell(c.p, UNCORRECTED) if row.alone else p_cell(corrected.get(row.key))
        cells.append(
            [
                name,
                row.weight or UNKNOWN,
                str(len(row.tested)),
                _accuracy(registry, row),
                _ned(row),
                difference,
                p,
                *((UNKNOWN,) * len(Cost._fields) if cost is None else (f"{x:.2f}" for x in cost)),
            ]
        )
    columns = ["loss", "weight", "seeds", "accuracy", "NED", DIFFERENCE, "p"]
    columns += ["time", "memory", "loss time"]
    explained = [*_explain(rows, compared, len(corrected), costs), *row_hardware(rows)]
    return Table(title, columns, cells, [*explained, *notes])


def _explain(
    rows: Sequence[Row],
    compared: Mapping[str, Comparison],
    corrections: int,
    costs: Mapping[str, Cost],
) -> list[str]:
    titles = {row.key: row.title for row in rows}
    alone = [row for row in rows if row.key in compared and row.alone]
    corrected = ""
    if corrections:
        those = f", those without {UNCORRECTED}" if alone else ""
        corrected = (
            f" Corrected for {corrections} comparison{'s' * (corrections > 1)}{those} (Holm)."
        )
    notes = [
        "Percent; accuracy with its 95 % interval over seeds and samples (two-level bootstrap), "
        "NED with its 95 % interval over seeds (t), none with one seed.",
        DIFFERENCE_NOTE,
        "p: paired t-test over seeds; unknown (-) with one seed, and where the differences of the "
        f"seeds are all equal.{corrected}",
    ]
    if alone:
        why = "; ".join(f"{row.title}, {row.alone}" for row in alone)
        together = holm({key: c.p for key, c in compared.items()})
        instead = [f"{r.title} {p_cell(together[r.key])}" for r in alone if r.key in together]
        would = f" Corrected with all others p would be: {', '.join(instead)}." if instead else ""
        notes.append(f"{UNCORRECTED} Not corrected: {why}.{would}")
    if any(mark_one_seed(row, compared) for row in rows):
        notes.append(
            f"{ONE_SEED} One seed, or one in common with its reference: the interval of the "
            "difference allows for the choice of samples only, and other seeds may differ by "
            "more. McNemar's test stands in the table seed by seed."
        )
    others = [row for row in rows if row.reference and row.reference != rows[0].key]
    for row in others:
        against = titles.get(row.reference, row.reference)
        notes.append(f"{OTHER_REFERENCE} {row.title}: difference to {against}.")
    notes += detectable_notes({titles[key]: c for key, c in compared.items()})
    if missing := [row.title for row in rows if row.key not in costs]:
        notes.append(f"Time and memory of {', '.join(missing)}: not measured; {BENCH} does.")
    if costs:
        notes.append(
            f"Relative to CTC, medians of one run of {BENCH}: time and peak memory of a step of "
            f"training (forward, loss and backward); time of the loss alone. Of each loss with its "
            f"own defaults, whatever the weight that was chosen."
        )
    return [*notes, *(drop_notes({r.set: r for r in rows[0].tested.values()}) if rows else [])]


def _accuracy(registry: Registry, row: Row) -> str:
    hits = read_hits(registry, list(row.tested.values()))
    low, high = bootstrap_interval(np.zeros_like(hits), hits)
    return interval_cell(100 * hits.mean(), low, high)


def _ned(row: Row) -> str:
    values = np.array([r.ned for r in row.tested.values()])
    test = paired_t(values) if len(values) > 1 else NO_TEST
    return interval_cell(values.mean(), test.low, test.high)
