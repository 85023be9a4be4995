"""The scale of the paper: what its trainings cost, and the commands for them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from dctc.results.tables import Table
from experiments.studies.launch import Launch
from experiments.studies.several_nodes import several_nodes

ENGLISH_IMAGES = 16_200_000  # MJSynth 8.9 and SynthText 7.3 million: their published sizes


def print_launches(
    cost: Table, launches: Sequence[Launch], notes: Sequence[str], console: Console
) -> None:
    """Print what trainings cost and the commands for them; nothing is run.

    Args:
        cost: What they cost.
        launches: The trainings.
        notes: What they need, and more to say.
        console: For the table. Commands are printed past it, so that no line is broken.
    """
    cost.print(console)
    print(
        "\n# Nothing is run. These train and test all, from the root, after ./reproduce.sh setup."
    )
    print(*(f"# {note}" for note in notes), sep="\n")
    for launch in launches:
        print(f"\n# {launch.title}", *launch.commands(), sep="\n")
    print("", *several_nodes(launches), sep="\n")
    print()
