"""Arms side by side: each against its reference, over the seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dctc.results.registry import OTHER_WEIGHTS, Record, Registry, scored_at
from dctc.results.statistics import Comparison, compare

ONE_SEED = "¹"  # a star would stand beside that of z*


@dataclass(frozen=True)
class Row:
    """One arm of the table.

    Attributes:
        key: Name of the arm, by which costs and references are found.
        title: Its name in the table.
        weight: The weight of its loss; empty where it has none.
        tested: Its records of the test set by seed.
        validated: Its records of the validation set by seed.
        reference: Key of the arm that it is compared with; empty for the reference itself.
        alone: Why its p is not corrected with those of the others; empty where it is.
    """

    key: str
    title: str
    weight: str
    tested: Mapping[int, Record]
    validated: Mapping[int, Record]
    reference: str = ""
    alone: str = ""


def find_arms(registry: Registry, prefix: str) -> dict[str, dict[str, dict[int, Record]]]:
    """Return the records of arms by name, set and seed; of several runs those of the last scored.

    Their order in the file says nothing of that where some are adopted, or all are published. Of
    one arm and seed all are of one run, even where an earlier run has more sets. What other weights
    than those of a run's end have read is left out.

    Args:
        registry: Where they lie.
        prefix: What the names of the arms begin with; it is taken off.
    """
    records = [
        record
        for record in sorted(registry.records(), key=scored_at)
        if record.arm.startswith(prefix) and OTHER_WEIGHTS not in record.run
    ]
    last = {(record.arm, record.seed): record.run for record in records}
    found: dict[str, dict[str, dict[int, Record]]] = {}
    for record in records:
        if record.run == last[record.arm, record.seed]:
            of_arm = found.setdefault(record.arm.removeprefix(prefix), {})
            of_arm.setdefault(record.set, {})[record.seed] = record
    return found


def compare_rows(registry: Registry, rows: Sequence[Row]) -> dict[str, Comparison]:
    """Compare each row with its reference, over the seeds that both have.

    Raises:
        ValueError: If two records were not scored on the same samples.
    """
    by_key = {row.key: row for row in rows}
    compared = {}
    for row in rows:
        if row.reference not in by_key:
            continue
        other = by_key[row.reference]
        if row.tested.keys() & other.tested.keys():
            a, b = paired_hits(registry, other.tested, row.tested)
            compared[row.key] = compare(a, b)
    return compared


def paired_hits(
    registry: Registry, first: Mapping[int, Record], second: Mapping[int, Record]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the hits of two arms on one set, ``(seeds, n)`` each, over the seeds that both have.

    Args:
        registry: Where the hits lie.
        first: Records of the first arm by seed.
        second: Records of the second arm by seed; one at least is of a seed of the first.

    Raises:
        ValueError: If two records were not scored on the same samples, or not trained as long.
    """
    seeds = sorted(first.keys() & second.keys())
    _same_samples(first[seeds[0]], second[seeds[0]])
    a, b = (read_hits(registry, [arm[seed] for seed in seeds]) for arm in (first, second))
    return a, b


def mark_one_seed(row: Row, compared: Mapping[str, Comparison]) -> str:
    """Return the mark of a row whose comparison has one seed; of one without, by its own seeds."""
    seeds = compared[row.key].seeds if row.key in compared else len(row.tested)
    return ONE_SEED if seeds == 1 else ""


def read_hits(registry: Registry, records: Sequence[Record]) -> np.ndarray:
    """Return the ``(seeds, n)`` hits of records of one set.

    Raises:
        ValueError: As :func:`paired_hits`.
    """
    for record in records:
        _same_samples(records[0], record)
    return np.stack([registry.read_hits(record) for record in records])


def _same_samples(a: Record, b: Record) -> None:
    ours, theirs = ((r.samples, r.protocol, r.about.get("steps")) for r in (a, b))
    # of drawn words, which may be others under the same numbers; the first records do not say it
    sources = {r.about["drawn_from"] for r in (a, b) if "drawn_from" in r.about}
    if ours != theirs or len(sources) > 1:
        raise ValueError(
            f"{a.set}: {a.arm} (seed {a.seed}) and {b.arm} (seed {b.seed}) differ in samples, "
            f"protocol or steps of training; run those of an old configuration again"
        )
