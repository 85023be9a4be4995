"""A published set: its name and size, and which folder holds it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True)
class Benchmark:
    """One set of labelled word images.

    Attributes:
        name: Name in tables and configs.
        size: Records of the published set.
        aliases: Folder names that it is published under, in lower case; ``val/svt`` asks for the
            folder above too.
        how_to_get: Where it comes from, in one line.
        derived_from: Set that it can be selected from, see
            :func:`dctc.data.benchmarks.three_or_more`.
    """

    name: str
    size: int
    aliases: tuple[str, ...]
    how_to_get: str
    derived_from: str | None = None

    def matches(self, folder: Path) -> bool:
        """Tell whether a folder bears one of the names of this set."""
        parts = [part.lower() for part in folder.parts[-2:]]
        return not {"/".join(parts), *parts[-1:]}.isdisjoint(self.aliases)


class Found(NamedTuple):
    """A benchmark below a data root.

    Attributes:
        benchmark: Which one.
        path: Its LMDB folder, or that of the set it is derived from.
        derived: Whether it has to be selected from that other set.
    """

    benchmark: Benchmark
    path: Path
    derived: bool = False


def match(benchmark: Benchmark, lmdbs: dict[str, Path]) -> Path | None:
    """Return the one folder that bears the name of a set, None if there is none.

    Raises:
        ValueError: If several do.
    """
    paths = [path for path in lmdbs.values() if benchmark.matches(path)]
    if len(paths) > 1:
        raise ValueError(
            f"{benchmark.name}: both {paths[0]} and {paths[1]} bear its name; keep one of them "
            f"below the data root"
        )
    return paths[0] if paths else None
