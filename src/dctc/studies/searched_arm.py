"""An arm of a comparison whose weight is searched before it is compared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchedArm:
    """A loss, and the weights of it that are tried.

    Attributes:
        key: Its name on the command line and in the registry.
        title: Its name in tables.
        option: Option that sets the weight which is searched; ``{}`` stands for the weight.
        weights: What is searched; none where there is nothing to choose.
        source: Where the weights come from.
        options: What else it changes.
        seeds: Final seeds.
        ranked: Whether the search ranks it; the best are trained on English words too.
    """

    key: str
    title: str
    option: str = ""
    weights: tuple[str, ...] = ()
    source: str = ""
    options: tuple[str, ...] = ()
    seeds: int = 3
    ranked: bool = False

    def name(self, weight: str) -> str:
        """Return its name at a weight; an empty one where there is nothing to choose."""
        return f"{self.key}-{weight}" if weight else self.key

    def command(self, weight: str) -> tuple[str, ...]:
        """Return the options of ``dctc fit`` that train it at a weight."""
        return (*self.options, *((self.option.format(weight),) if weight else ()))
