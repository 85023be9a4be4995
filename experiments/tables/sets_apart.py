"""Tables of models that were trained on each set apart (the paper's Table 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dctc.results.registry import Registry
from dctc.results.tables import Table
from experiments.tables.model_arms import ModelArm, common_seeds, contrasts, find_pairs
from experiments.tables.model_table import accuracy_table, detectable_note, difference_table

LOSSES = ("CTC", "DCTC")
APART = "Each set was trained and tested apart: a row is as many trainings of a seed as sets."


def tables_of_sets(
    title: str, registry: Registry, prefix: str, sets: Sequence[str]
) -> tuple[Table | None, dict[str, Table]]:
    """Return one table of accuracies, and the table of differences of each model by its name.

    The models of the first table have both losses on all sets that any model has; what the others
    have stands in their tables of differences. It is None without such a model.

    Args:
        title: Heading of the first table.
        registry: Where the records lie.
        prefix: What the names of the arms begin with; then come the model, the set in lower case
            and the loss in lower case, with hyphens between.
        sets: Names of the sets, in the order of the columns.
    """
    models = gather(registry, prefix, sets)
    scored = {m: [n for n in sets if common_seeds(*pair, [n])] for m, pair in models.items()}
    shown = [name for name in sets if any(name in of for of in scored.values())]
    means, pooled = {"mean": sets}, {"weighted mean": sets}
    arms: list[ModelArm] = []
    partial, seedless, notes, differences = [], [], [APART], {}
    for model, pair in models.items():
        if not common_seeds(*pair, scored[model]):
            seedless.append(model)
            continue
        compared = contrasts(registry, *pair, scored[model], means, pooled)
        heading = f"{model}: DCTC against CTC"
        differences[model] = difference_table(heading, LOSSES, compared, [APART])
        if scored[model] == shown:
            arms += pair
            notes += detectable_note(model, compared)
        else:
            partial.append(model)
    if missing := ", ".join(name for name in sets if name not in shown):
        notes.append(f"Not scored, so that means are missing: {missing}.")
    if partial:
        notes.append(f"Not on all of these sets, so in tables of their own: {', '.join(partial)}.")
    if seedless:
        notes.append(f"Left out, as no seed has all that was scored: {', '.join(seedless)}.")
    whole = accuracy_table(title, arms, shown, means, pooled, notes) if arms else None
    return whole, differences


def gather(
    registry: Registry, prefix: str, sets: Sequence[str]
) -> dict[str, tuple[ModelArm, ModelArm]]:
    """Return both arms of each model, of each set the records of the trainings on that set."""
    pairs = find_pairs(registry, prefix, LOSSES)
    parts: dict[str, dict[str, tuple[ModelArm, ModelArm]]] = {}
    for name in sets:
        for key, pair in pairs.items():
            if key.endswith(f"-{name.lower()}"):
                parts.setdefault(key.removesuffix(f"-{name.lower()}"), {})[name] = pair
    return {model: (_join(model, of, 0), _join(model, of, 1)) for model, of in parts.items()}


def _join(model: str, parts: Mapping[str, tuple[ModelArm, ModelArm]], which: int) -> ModelArm:
    records = {name: pair[which].records.get(name, {}) for name, pair in parts.items()}
    return ModelArm(model, LOSSES[which], records)
