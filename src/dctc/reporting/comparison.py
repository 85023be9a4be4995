"""The table of many arms: each against one reference, over the seeds that both have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dctc.reporting.registry import OTHER_WEIGHTS, Record, Registry
from dctc.reporting.statistics import Comparison, bootstrap_interval, compare, holm, paired_t
from dctc.reporting.tables import Table, drop_notes

ONE_SEED = "*"
OTHER_REFERENCE = "†"
BENCH = "dctc bench --what losses"


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
    """

    key: str
    title: str
    weight: str
    tested: Mapping[int, Record]
    validated: Mapping[int, Record]
    reference: str = ""


class Cost(NamedTuple):
    """What a loss costs, each as a multiple of what CTC does.

    Attributes:
        step_time: Of a step of training the small residual net: forward, loss and backward.
        step_memory: Peak memory of such a step.
        loss_time: Of the forward and backward of the loss alone.
    """

    step_time: float
    step_memory: float
    loss_time: float


def find_arms(registry: Registry, prefix: str) -> dict[str, dict[str, dict[int, Record]]]:
    """Return the records of arms by name, set and seed; of several the one that was scored last.

    Their order in the file says nothing of that where some are adopted, or all are published. What
    other weights than those of a run's end have read is left out.

    Args:
        registry: Where they lie.
        prefix: What the names of the arms begin with; it is taken off.
    """
    found: dict[str, dict[str, dict[int, Record]]] = {}
    for record in sorted(registry.records(), key=lambda r: r.about.get("time", "")):
        if record.arm.startswith(prefix) and OTHER_WEIGHTS not in record.run:
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
    a, b = (_hits(registry, [arm[seed] for seed in seeds]) for arm in (first, second))
    return a, b


def comparison_table(
    title: str,
    registry: Registry,
    rows: Sequence[Row],
    costs: Mapping[str, Cost],
    notes: Sequence[str] = (),
) -> Table:
    """Return accuracy, NED, difference to the reference, p and cost of each arm.

    Args:
        title: Heading.
        registry: Where the hits lie.
        rows: The arms; the first is the reference of most.
        costs: What they cost relative to CTC, by key.
        notes: Lines below the table.
    """
    rows = [row for row in rows if row.tested]
    compared = compare_rows(registry, rows)
    tested = {key: c.p for key, c in compared.items() if c.p is not None}
    corrected = holm(tested)
    cells = []
    for row in rows:
        cost = costs.get(row.key)
        name = row.title + (ONE_SEED if len(row.tested) == 1 else "")
        name += OTHER_REFERENCE if row.reference and row.reference != rows[0].key else ""
        difference, p = "-", "-"
        if row.key in compared:
            c = compared[row.key]
            difference = f"{c.points:+.2f} [{c.low:+.2f}, {c.high:+.2f}]"
            p = f"{corrected[row.key]:.3f}" if row.key in corrected else "-"
        cells.append(
            [
                name,
                row.weight or "-",
                str(len(row.tested)),
                _accuracy(registry, row),
                _ned(row),
                difference,
                p,
                *(("-",) * len(Cost._fields) if cost is None else (f"{x:.2f}" for x in cost)),
            ]
        )
    columns = ["loss", "weight", "seeds", "accuracy", "NED", "difference", "p"]
    columns += ["time", "memory", "loss time"]
    return Table(title, columns, cells, [*_explain(rows, compared, costs), *notes])


def alignment_table(title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> Table:
    """Return how the trained nets align labels with frames, means over seeds.

    Args:
        title: Heading.
        rows: The arms; what was not measured of them is ``-``.
        notes: Lines below the table.
    """
    names = ("aacc_label", "viterbi_agreement", "blank_share", "greedy_blank_share")
    cells = []
    for row in rows:
        found = [r.about["alignment"] for r in row.validated.values() if "alignment" in r.about]
        if not row.validated:
            continue
        shares = [f"{100 * np.mean([f[n] for f in found]):.2f}" if found else "-" for n in names]
        entropy = f"{np.mean([f['frame_entropy'] for f in found]):.4f}" if found else "-"
        mark = ONE_SEED if len(found) == 1 else ""
        cells.append([row.title + mark, row.weight or "-", str(len(found)), *shares, entropy])
    explained = (
        "Validation words, means over seeds, for every net with the likelihood estimate z*. In "
        "percent: aacc_label, words whose collapsed z* is the label; viterbi_agreement and "
        "blank_share, frames where z* is the Viterbi alignment, and blank; greedy_blank_share, "
        "frames that the net reads as blank. frame_entropy: nats per frame."
    )
    columns = ["loss", "weight", "seeds", *names, "frame_entropy"]
    return Table(title, columns, cells, [explained, *notes])


def _explain(
    rows: Sequence[Row],
    compared: Mapping[str, Comparison],
    costs: Mapping[str, Cost],
) -> list[str]:
    titles = {row.key: row.title for row in rows}
    notes = [
        "Percent; accuracy with its 95 % interval over seeds and samples (two-level bootstrap), "
        "NED with its 95 % interval over seeds (t). Difference: points, with the 95 % interval of "
        "the paired two-level bootstrap over the seeds that both have. p: paired t-test over "
        "seeds, corrected for the number of comparisons (Holm)."
    ]
    if any(len(row.tested) == 1 for row in rows):
        notes.append(
            f"{ONE_SEED} One seed: its intervals allow for the choice of samples only, and other "
            f"seeds may differ by more."
        )
    others = [row for row in rows if row.reference and row.reference != rows[0].key]
    for row in others:
        against = titles.get(row.reference, row.reference)
        notes.append(f"{OTHER_REFERENCE} {row.title}: difference to {against}.")
    found = [f"{titles[key]} {c.detectable:.2f}" for key, c in compared.items()]
    if found:
        notes.append(
            "Least true difference that such a comparison finds with a probability of 80 %, in "
            f"points: {', '.join(found)}."
        )
    if missing := [row.title for row in rows if row.key not in costs]:
        notes.append(f"Time and memory of {', '.join(missing)}: not measured; {BENCH} does.")
    if costs:
        notes.append(
            f"Relative to CTC, medians of one run of {BENCH}: time and peak memory of a step of "
            f"training (forward, loss and backward); time of the loss alone."
        )
    return [*notes, *(drop_notes({r.set: r for r in rows[0].tested.values()}) if rows else [])]


def _accuracy(registry: Registry, row: Row) -> str:
    hits = _hits(registry, list(row.tested.values()))
    low, high = bootstrap_interval(np.zeros_like(hits), hits)
    return f"{100 * hits.mean():.2f} [{low:.2f}, {high:.2f}]"


def _ned(row: Row) -> str:
    values = np.array([100 * r.similarity / r.n for r in row.tested.values()])
    if len(values) == 1:
        return f"{values[0]:.2f}"
    _, low, high = paired_t(values)
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def _hits(registry: Registry, records: Sequence[Record]) -> np.ndarray:
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
