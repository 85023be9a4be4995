"""A study in two steps: the weight of each loss is searched, then the chosen one is compared.

The weights are chosen by validation words, with a seed that no final run has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.studies.word_runs import WordRuns

from dctc.results.comparison import find_arms
from dctc.results.registry import Record, Registry
from dctc.studies.runner import Run
from dctc.studies.search import Searched, choices, strongest_searched
from dctc.studies.searched_arm import SearchedArm

SEARCH_SEED = 100  # none of the final seeds

Found = Mapping[str, Mapping[str, Mapping[int, Record]]]  # by arm, set and seed


@dataclass(frozen=True)
class WeightSearch:
    """Losses on real words, each at the best weight found.

    Attributes:
        name: Folder of the runs, and the first part of every arm's name in the registry.
        words: The runs' data.
        losses: What is compared.
        seeds: Final seeds at most.
        options: What all runs change.
    """

    name: str
    words: WordRuns
    losses: tuple[SearchedArm, ...]
    seeds: int
    options: tuple[str, ...] = ()

    def arms(self, only: Sequence[str] = ()) -> list[SearchedArm]:
        """Return the arms among those asked for; none means all."""
        return [arm for arm in self.losses if not only or arm.key in only]

    def weights(self, arm: SearchedArm) -> tuple[str, ...]:
        """Return the weights that are searched; one empty one where there is nothing to choose."""
        return arm.weights or ("",)

    def run(self, arm: SearchedArm, weight: str, seed: int) -> Run:
        """Return the training of an arm; a search is scored on validation words only."""
        name = f"{self.name}/{arm.name(weight)}"
        options = (*arm.command(weight), *self.options)
        return self.words.run(name, options, seed, tested=seed != SEARCH_SEED)

    def search_runs(self, arms: Sequence[SearchedArm]) -> list[Run]:
        """Return the training of every weight of every arm with the seed of the search."""
        return [self.run(arm, w, SEARCH_SEED) for arm in arms for w in self.weights(arm)]

    def find(self, registry: Registry) -> Found:
        """Return the records of the runs by arm, set and seed."""
        return find_arms(registry, f"{self.name}/")

    def read(self, found: Found) -> dict[str, Searched]:
        """Return what was found of each arm, by its key."""
        validation = self.words.sets[0]
        searched = {}
        for arm in self.losses:
            of_weight = {w: found.get(arm.name(w), {}) for w in self.weights(arm)}
            scored = {
                weight: of_set[validation][SEARCH_SEED]
                for weight, of_set in of_weight.items()
                if SEARCH_SEED in of_set.get(validation, {})
            }
            searched[arm.key] = Searched(arm.title, self.weights(arm), arm.source, scored)
        return searched

    def final_records(
        self, found: Found, arm: SearchedArm, weight: str
    ) -> tuple[dict[int, Record], dict[int, Record]]:
        """Return the records of the final runs by seed: of the test and of the validation set."""
        of_sets, (validation, test) = found.get(arm.name(weight), {}), self.words.sets
        tested, validated = (
            {seed: r for seed, r in sorted(of_sets.get(name, {}).items()) if seed != SEARCH_SEED}
            for name in (test, validation)
        )
        return tested, validated

    def strongest(self, searched: Mapping[str, Searched], count: int) -> list[SearchedArm]:
        """Return the strongest rivals whose search is complete, best first.

        Args:
            searched: What was found.
            count: How many.
        """
        rivals = [arm.key for arm in self.losses if arm.ranked]
        by_key = {arm.key: arm for arm in self.losses}
        return [by_key[key] for key in strongest_searched(searched, rivals, count)]

    def final_seeds(self, searched: Mapping[str, Searched]) -> dict[str, int]:
        """Return how many final seeds each arm with a chosen weight has, by its key."""
        chosen = choices(searched)
        return {arm.key: min(arm.seeds, self.seeds) for arm in self.losses if arm.key in chosen}

    def final_runs(
        self,
        searched: Mapping[str, Searched],
        arms: Sequence[SearchedArm],
        seeds: Sequence[int] | None = None,
    ) -> list[Run]:
        """Return the final runs: of each seed all arms, so that a sitting cut short compares.

        Args:
            searched: What was found; arms without a chosen weight have no final runs.
            arms: Which arms.
            seeds: Seeds of each; None for those of :meth:`final_seeds`.
        """
        chosen, counts = choices(searched), self.final_seeds(searched)
        of_arm = {
            arm: range(counts[arm.key]) if seeds is None else seeds
            for arm in arms
            if arm.key in chosen
        }
        order = sorted({seed for own in of_arm.values() for seed in own})
        return [
            self.run(arm, chosen[arm.key], seed)
            for seed in order
            for arm, own in of_arm.items()
            if seed in own
        ]
