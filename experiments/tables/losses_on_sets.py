"""Losses with one net on several test sets: accuracies, and differences to the first of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dctc.results.registry import Record, Registry
from dctc.results.tables import Table
from experiments.tables.model_arms import ModelArm, common_seeds
from experiments.tables.model_table import accuracy_table
from experiments.tables.reference_table import reference_table


def losses_on_sets(
    title: str,
    registry: Registry,
    model: str,
    losses: Mapping[str, Mapping[str, Mapping[int, Record]]],
    means: Mapping[str, Sequence[str]],
    other: str,
    planned: str = "",
    notes: Sequence[str] = (),
) -> tuple[Table, Table] | None:
    """Return the table of accuracies and that of differences; None without two losses to compare.

    Args:
        title: Heading.
        registry: Where the hits lie.
        model: Name of the net.
        losses: Records by the loss's name in the tables, then set and seed; the first is the
            reference.
        means: Sets of each mean in which every set counts the same; one mean at least.
        other: One more set, in no mean; shown where all seeds have it, or nothing else.
        planned: Loss whose comparison with the first is the one that was planned.
        notes: Lines below the first table.

    Raises:
        ValueError: If two arms were not scored on the same samples, or not trained as long.
    """
    arms = [ModelArm(model, loss, records) for loss, records in losses.items()]
    names = dict.fromkeys(name for of in means.values() for name in of)
    sets = [name for name in names if any(name in arm.records for arm in arms)]
    there = [arm for arm in arms if arm.records]
    # it costs no seed of the others
    if not sets or all(arm.seeds([*sets, other]) == arm.seeds(sets) for arm in there):
        sets.append(other)
    compared = [arm for arm in arms[1:] if common_seeds(arms[0], arm, sets)]
    if not compared:
        return None
    shown = [arms[0], *(arm for arm in arms[1:] if arm.seeds(sets))]
    means = {name: of for name, of in means.items() if {*of} <= {*sets}}
    trial = [] if means else [f"Scored on {', '.join(sets)} alone: a trial, no result."]
    pairs = reference_table(
        f"{title}: differences", registry, arms[0], compared, sets, means, planned, trial
    )
    return accuracy_table(title, shown, sets, means, {}, [*notes, *trial]), pairs
