"""Where results were trained, told where it was in more than one kind of place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dctc.reporting.environment import gpu
from dctc.reporting.registry import Record


def hardware_notes(trained: Mapping[str, Iterable[Record]]) -> list[str]:
    """Return a line that says what was trained on which GPU; none if nothing was.

    Args:
        trained: The records of what a table shows, by how it is called there.
    """
    places: dict[str, dict[str, list[int]]] = {}
    for name, records in trained.items():
        for record in records:
            places.setdefault(gpu(record.about), {}).setdefault(name, []).append(record.seed)
    on_cpu = places.pop("", {})
    lines = []
    for where, names in sorted(places.items()):
        listed = (f"{n}{_seeds(seeds) if n in on_cpu else ''}" for n, seeds in names.items())
        lines.append(f"Trained on a GPU ({where}): {'; '.join(listed)}.")
    return [" ".join([*lines, "All else on CPU cores."] if on_cpu else lines)] if lines else []


def _seeds(seeds: Iterable[int]) -> str:
    listed = sorted(set(seeds))
    return f" (seed{'s' * (len(listed) > 1)} {', '.join(map(str, listed))})"
