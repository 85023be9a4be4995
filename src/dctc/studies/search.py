"""The search for the weight of a loss: chosen by validation accuracy; no test set is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dctc.results.cells import FOUND, detectable_cell
from dctc.results.environment import gpu
from dctc.results.power import detectable_over_samples
from dctc.results.registry import Record, Registry
from dctc.results.tables import Table, percent


@dataclass(frozen=True)
class Searched:
    """What the search for the weight of a loss has found so far.

    Attributes:
        title: Name of the loss in tables.
        weights: What is searched; one empty weight where there is nothing to choose.
        source: Where the weights come from.
        scored: Records of the validation set by weight, of those that are trained.
    """

    title: str
    weights: Sequence[str]
    source: str
    scored: Mapping[str, Record]

    @property
    def choice(self) -> str | None:
        """The best weight; None while one is not trained."""
        return choose_weight(self.scored) if set(self.weights) <= self.scored.keys() else None


def choices(searched: Mapping[str, Searched]) -> dict[str, str]:
    """Return the chosen weight of each arm whose search is complete."""
    found = {key: search.choice for key, search in searched.items()}
    return {key: choice for key, choice in found.items() if choice is not None}


def open_searches(searched: Mapping[str, Searched]) -> str:
    """Say in a sentence how many searches are open, and what that means."""
    waiting = [search.title for search in searched.values() if search.choice is None]
    if not waiting:
        return "No search is open."
    return (
        f"Searches that are open: {len(waiting)} ({'; '.join(waiting)}). Their final runs are not "
        f"counted yet."
    )


def strongest_searched(
    searched: Mapping[str, Searched], arms: Sequence[str], count: int
) -> list[str]:
    """Return the strongest of some arms, each at its chosen weight, best first.

    Args:
        searched: What was found, by arm.
        arms: Who takes part, if its search is complete.
        count: How many.
    """
    chosen = choices(searched)
    records = {key: searched[key].scored[chosen[key]] for key in arms if key in chosen}
    return strongest(records, count) if records else []


def search_table(
    registry: Registry, searched: Mapping[str, Searched], notes: Sequence[str] = ()
) -> Table:
    """Return what was found, a row each weight that is trained.

    Below it stands how small a difference between two weights of a loss could have been found.

    Args:
        registry: Where the hits lie.
        searched: By arm.
        notes: Lines below the table.
    """
    rows = [
        [
            search.title,
            weight or "-",
            f"{record.n:,}",
            percent(record.correct, record.n),
            percent(record.similarity, record.n),
            _chosen(search) if weight and search.choice == weight else "",
        ]
        for search in searched.values()
        for weight, record in search.scored.items()
    ]
    columns = ["loss", "weight", "n", "accuracy", "NED", "choice"]
    edge = [_EDGE_NOTE] if any(row[-1] == _EDGE for row in rows) else []
    explained = [*_detectable(registry, searched), *edge, *notes, *_sources(searched)]
    return Table("Search for the weights of the losses", columns, rows, explained)


def records_by_loss(searched: Mapping[str, Searched]) -> dict[str, list[Record]]:
    """Return the records of the search by loss, and by weight where they differ in their GPU."""
    records: dict[str, list[Record]] = {}
    for search in searched.values():
        apart = len({gpu(record.about) for record in search.scored.values()}) > 1
        for weight, record in search.scored.items():
            name = f"{search.title} {weight}" if apart else search.title
            records.setdefault(name, []).append(record)
    return records


_EDGE = "chosen, edge"
_EDGE_NOTE = "Edge: the best of the weights is the first or the last; one beyond it was not tried."


def _chosen(search: Searched) -> str:
    ends = (search.weights[0], search.weights[-1])
    return _EDGE if len(search.weights) > 1 and search.choice in ends else "chosen"


def choose_weight(scored: Mapping[str, Record]) -> str:
    """Return the weight with the best validation accuracy, of equal ones the first.

    Args:
        scored: Records of the validation set by weight.

    Raises:
        ValueError: If there is none, or they were scored on different samples.
    """
    _check(scored)
    return max(scored, key=lambda weight: scored[weight].correct)


def strongest(scored: Mapping[str, Record], count: int) -> list[str]:
    """Return the arms with the best validation accuracy, best first, of equal ones the first.

    Args:
        scored: The record of each arm's chosen weight.
        count: How many.

    Raises:
        ValueError: If there is none, or they were scored on different samples.
    """
    _check(scored)
    return sorted(scored, key=lambda arm: -scored[arm].correct)[:count]


def _detectable(registry: Registry, searched: Mapping[str, Searched]) -> list[str]:
    complete = [search for search in searched.values() if search.choice is not None]
    hits = [[registry.read_hits(record) for record in s.scored.values()] for s in complete]
    pairs = [pair for of_loss in hits for pair in combinations(of_loss, 2)]
    found = [detectable_over_samples(*pair) for pair in pairs]
    if np.isnan(found).all():
        return []
    least, most = (detectable_cell(float(end(found))) for end in (np.nanmin, np.nanmax))
    return [
        f"One seed: the least true difference between two weights of a loss that McNemar's test "
        f"finds {FOUND}, is {least} to {most} points. It allows for samples only. The choice is a "
        f"rule; it does not show a difference."
    ]


def _sources(searched: Mapping[str, Searched]) -> list[str]:
    titles: dict[str, list[str]] = {}
    for search in searched.values():
        if search.scored and search.source:
            titles.setdefault(search.source, []).append(search.title)
    listed = "; ".join(f"{'; '.join(of)} ({source})" for source, of in titles.items())
    return [f"Where the weights come from: {listed}."] if listed else []


def _check(scored: Mapping[str, Record]) -> None:
    samples = {(record.samples, record.protocol) for record in scored.values()}
    if len(samples) != 1:
        raise ValueError(
            f"search over {', '.join(scored) or 'nothing'}: {len(samples)} different sets of "
            f"samples where one is needed; run those of an old configuration again"
        )
