"""Notes below a table on the GPUs that its results were trained on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dctc.results.comparison import Row
from dctc.results.environment import gpu
from dctc.results.registry import Record


def hardware_notes(trained: Mapping[str, Iterable[Record]]) -> list[str]:
    """Return a line that says what was trained on which GPU; none if nothing was.

    Args:
        trained: The records of what a table shows, by how it is called there.
    """
    seeds: dict[str, dict[str, set[int]]] = {}  # by place and name
    versions: dict[str, set[str]] = {}
    for name, records in trained.items():
        for record in records:
            where = gpu(record.about)
            seeds.setdefault(where, {}).setdefault(name, set()).add(record.seed)
            torch = record.about.get("versions", {}).get("torch")
            versions.setdefault(where, set()).update([f"torch {torch}"] if torch else [])
    if not any(seeds):
        return []
    told = []
    for where in sorted(filter(None, seeds)):
        elsewhere = {name for other, names in seeds.items() if other != where for name in names}
        listed = [n + (_told(s) if n in elsewhere else "") for n, s in seeds[where].items()]
        place = ", ".join([where, *sorted(versions[where])])
        told.append(f"Trained on a GPU ({place}): {'; '.join(listed)}.")
    if "" in seeds:
        known = ", ".join(sorted(versions[""]))
        told.append(f"All else on CPU cores{f' ({known})' if known else ''}.")
    return [" ".join(told)]


def row_hardware(rows: Iterable[Row]) -> list[str]:
    """Return :func:`hardware_notes` for the tested rows of a table."""
    return hardware_notes({row.title: row.tested.values() for row in rows})


def _told(seeds: set[int]) -> str:
    return f" (seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))})"
