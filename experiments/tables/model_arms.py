"""Two arms of a model on several test sets: their records, and what the second gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dctc.results.comparison import find_arms, paired_hits
from dctc.results.registry import Record, Registry
from dctc.results.statistics import Comparison, compare
from experiments.tables.set_means import Pair, compare_mean

Sets = Mapping[str, Sequence[str]]  # names of sets by what their mean is called


@dataclass(frozen=True)
class ModelArm:
    """A model trained with a loss.

    Attributes:
        model: Name of the model.
        loss: Name of the loss.
        records: Its records by set and seed.
    """

    model: str
    loss: str
    records: Mapping[str, Mapping[int, Record]]

    def seeds(self, sets: Sequence[str]) -> list[int]:
        """Return the seeds that were scored on all of some sets."""
        scored = [set(self.records.get(name, {})) for name in sets]
        return sorted(set.intersection(*scored)) if scored else []

    def on(self, name: str, seeds: Sequence[int]) -> dict[int, Record]:
        """Return the records of a set by seed."""
        return {seed: self.records[name][seed] for seed in seeds}


def find_pairs(
    registry: Registry, prefix: str, losses: tuple[str, str] = ("CTC", "DCTC")
) -> dict[str, tuple[ModelArm, ModelArm]]:
    """Return both arms of each model that a registry has both of.

    Args:
        registry: Where the records lie.
        prefix: What the names of the arms begin with; then come the model, a hyphen and the loss in
            lower case.
        losses: Names of the reference and of what is compared with it.
    """
    found = find_arms(registry, prefix)
    first, second = (f"-{loss.lower()}" for loss in losses)
    models = [arm.removesuffix(first) for arm in found if arm.endswith(first)]
    return {
        model: (
            ModelArm(model, losses[0], found[model + first]),
            ModelArm(model, losses[1], found[model + second]),
        )
        for model in models
        if model + second in found
    }


def common_seeds(first: ModelArm, second: ModelArm, sets: Sequence[str]) -> list[int]:
    """Return the seeds that both arms have on all of some sets."""
    return sorted({*first.seeds(sets)} & {*second.seeds(sets)})


@dataclass(frozen=True)
class Contrast:
    """What the second of two arms gains on the first.

    Attributes:
        comparison: The difference and its chance.
        first: Accuracy of the first, a share.
        second: Accuracy of the second.
    """

    comparison: Comparison
    first: float
    second: float


def contrasts(
    registry: Registry,
    first: ModelArm,
    second: ModelArm,
    sets: Sequence[str],
    means: Sets,
    pooled: Sets,
) -> dict[str, Contrast]:
    """Compare two arms on each set and on the means, over the seeds that both have.

    Args:
        registry: Where the hits lie.
        first: The reference.
        second: What is compared with it.
        sets: Names of the sets.
        means: As for :func:`accuracy_table`; a mean that lacks a set is left out.
        pooled: The same.

    Raises:
        ValueError: If no seed has all sets in both arms, or the two were not scored on the same
            samples or not trained as long.
    """
    seeds = common_seeds(first, second, sets)
    if not seeds:
        raise ValueError(
            f"{first.model}: {first.loss} and {second.loss} have no seed in common that was "
            f"scored on {', '.join(sets)}"
        )
    pairs = {
        name: paired_hits(registry, first.on(name, seeds), second.on(name, seeds)) for name in sets
    }
    found = {name: _contrast(compare(a, b), [(a, b)]) for name, (a, b) in pairs.items()}
    for name, of in means.items():
        if set(of) <= pairs.keys():
            chosen = [pairs[one] for one in of]
            found[name] = _contrast(compare_mean(chosen), chosen)
    for name, of in pooled.items():
        if set(of) <= pairs.keys():
            a, b = (np.concatenate([pairs[one][i] for one in of], axis=1) for i in (0, 1))
            found[name] = _contrast(compare(a, b), [(a, b)])
    return found


def _contrast(comparison: Comparison, pairs: Sequence[Pair]) -> Contrast:
    first, second = (float(np.mean([pair[i].mean() for pair in pairs])) for i in (0, 1))
    return Contrast(comparison, first, second)
