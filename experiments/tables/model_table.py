"""Model by model, the losses side by side on several test sets (the paper's Tables 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dctc.results.cells import (
    DIFFERENCE,
    DIFFERENCE_NOTE,
    UNKNOWN,
    detectable_cell,
    detectable_column_notes,
    detectable_notes,
    difference_cell,
    p_cell,
)
from dctc.results.comparison import ONE_SEED
from dctc.results.hardware import hardware_notes
from dctc.results.registry import Record, Registry
from dctc.results.statistics import Comparison
from dctc.results.tables import Table, drop_notes
from experiments.tables.model_arms import Contrast, ModelArm, Sets, common_seeds, contrasts


def accuracy_table(
    title: str,
    arms: Sequence[ModelArm],
    sets: Sequence[str],
    means: Sets,
    pooled: Sets,
    notes: Sequence[str] = (),
) -> Table:
    """Return one row an arm: its accuracy on each set, means over seeds.

    Args:
        title: Heading.
        arms: The rows; those without a seed that has all sets are left out.
        sets: Names of the sets that are shown.
        means: Sets of each mean in which every set counts the same.
        pooled: Sets of each mean in which every sample counts the same.
        notes: Lines below the table.

    Raises:
        ValueError: If no arm has a seed that has all sets, or two arms were not scored on the same
            samples.
    """
    arms = [arm for arm in arms if arm.seeds(sets)]
    if not arms:
        raise ValueError(f"{title}: no run was scored on all of {', '.join(sets)}")
    cells = []
    for arm in arms:
        seeds = arm.seeds(sets)
        share = {name: _share(arm.on(name, seeds).values()) for name in sets}
        n = {name: arm.records[name][seeds[0]].n for name in sets}
        values: list[float | None] = list(share.values())
        values += [_mean([share.get(name) for name in of]) for of in means.values()]
        values += [
            _mean([share.get(name) for name in of], [n.get(name, 0) for name in of])
            for of in pooled.values()
        ]
        name = f"{arm.model}, {arm.loss}" + (ONE_SEED if len(seeds) == 1 else "")
        cells.append([name, str(len(seeds)), *map(_percent, values)])
    heads = [f"{name} {size:,}" for name, size in _sizes(arms, sets).items()]
    columns = ["trained", "seeds", *heads, *means, *pooled]
    explained = ["Word accuracy in percent, means over seeds; the weights are those of the end."]
    if any(len(arm.seeds(sets)) == 1 for arm in arms):
        explained.append(f"{ONE_SEED} One seed; others may differ by more than two rows do.")
    explained += _hardware(arms, sets)
    return Table(title, columns, cells, [*explained, *_drops(arms, sets), *notes])


def difference_table(
    title: str, losses: tuple[str, str], found: Mapping[str, Contrast], notes: Sequence[str] = ()
) -> Table:
    """Draw what :func:`contrasts` found, a row each.

    Args:
        title: Heading.
        losses: Names of the two arms' losses.
        found: The contrasts by what they are of; one at least.
        notes: Lines below the table.
    """
    rows = [
        [
            name,
            f"{c.comparison.n:,}",
            f"{100 * c.first:.2f}",
            f"{100 * c.second:.2f}",
            *_compared(c.comparison),
        ]
        for name, c in found.items()
    ]
    columns = ["on", "n", *losses, DIFFERENCE, "p", "detectable"]
    first = next(iter(found.values())).comparison
    paired = "those of one seed share the weights they begin with, batches and steps"
    explained = [f"{_seeds(first.seeds)} of each; {paired}. {DIFFERENCE_NOTE}"]
    if first.seeds > 1:
        explained.append("p: paired t-test over seeds, not corrected for the number of rows.")
    else:
        explained.append("One seed: intervals allow for the choice of words only.")
    explained += detectable_column_notes(first)
    return Table(title, columns, rows, [*explained, *notes])


def detectable_note(model: str, found: Mapping[str, Contrast]) -> list[str]:
    """Say below a table of accuracies which differences it could have shown; a line, or none."""
    said = detectable_notes({name: of.comparison for name, of in found.items()})
    return [" ".join([f"{model}:", *said])] if said else []


def companion_table(
    title: str,
    registry: Registry,
    first: ModelArm,
    second: ModelArm,
    name: str,
    notes: Sequence[str] = (),
) -> Table:
    """Return accuracy, NED and CER of two arms on one set, and the difference of the accuracies.

    Args:
        title: Heading.
        registry: Where the hits lie.
        first: The reference.
        second: What is compared with it.
        name: Name of the set.
        notes: Lines below the table.

    Raises:
        ValueError: As :func:`contrasts`.
    """
    c = contrasts(registry, first, second, [name], {}, {})[name].comparison
    seeds = common_seeds(first, second, [name])
    rows = []
    for arm, compared in ((first, [UNKNOWN] * 3), (second, _compared(c))):
        records = arm.on(name, seeds).values()
        ned, cer = np.mean([r.ned for r in records]), np.mean([r.cer for r in records])
        shares = [f"{share:.2f}" for share in (_share(records), ned, cer)]
        rows.append([f"{arm.model}, {arm.loss}", *shares, *compared])
    columns = ["trained", "accuracy", "NED", "CER", DIFFERENCE, "p", "detectable"]
    explained = [
        f"{name}: {c.n:,} samples, {_seeds(len(seeds))} of each; percent. {DIFFERENCE_NOTE}",
        "p: paired t-test over seeds." if len(seeds) > 1 else "One seed allows for samples only.",
        *detectable_column_notes(c),
        *_hardware([first, second], [name]),
    ]
    return Table(title, columns, rows, [*explained, *_drops([first], [name]), *notes])


def _compared(c: Comparison) -> list[str]:
    return [difference_cell(c), p_cell(c.p), detectable_cell(c.detectable)]


def _share(records: Iterable[Record]) -> float:
    return float(np.mean([100 * r.correct / r.n for r in records]))


def _mean(shares: Sequence[float | None], weights: Sequence[int] | None = None) -> float | None:
    """Return the mean, None where a share is missing."""
    known = [share for share in shares if share is not None]
    return float(np.average(known, weights=weights)) if len(known) == len(shares) else None


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share:.2f}"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _sizes(arms: Sequence[ModelArm], sets: Sequence[str]) -> dict[str, int]:
    """Return the samples of each set; the arms were scored on the same."""
    for name in sets:
        samples = {r.samples for arm in arms for r in arm.on(name, arm.seeds(sets)).values()}
        if len(samples) > 1:
            raise ValueError(
                f"{name}: {len(samples)} different sets of samples in one table; run those of an "
                f"old configuration again"
            )
    return {name: next(iter(arms[0].records[name].values())).n for name in sets}


def _hardware(arms: Sequence[ModelArm], sets: Sequence[str]) -> list[str]:
    return hardware_notes(
        {
            f"{arm.model}, {arm.loss}": [
                r for name in sets for r in arm.on(name, arm.seeds(sets)).values()
            ]
            for arm in arms
        }
    )


def _drops(arms: Sequence[ModelArm], sets: Sequence[str]) -> list[str]:
    return drop_notes({name: next(iter(arms[0].records[name].values())) for name in sets})
