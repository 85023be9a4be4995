"""Several LMDBs read as one set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from dctc.data.benchmarks import is_test_set
from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.folders import find_lmdbs, refuse_single_file
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.sampler import Draw


class UnionDataset(Dataset[Sample | Corrupt]):
    """Data sets one after the other, indexed by a :class:`~dctc.data.records.sampler.Draw`.

    :class:`torch.utils.data.ConcatDataset` takes bare numbers only; here the part sees the number
    of the draw too, so whatever is random in it stays a function of (seed, draw).
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)
        self.ends = np.cumsum([len(part) for part in parts])  # (number of parts,)
        self.drops, self.outside, self.emptied = Counter[str](), Counter[str](), Counter[str]()
        for name in ("drops", "outside", "emptied"):  # see LmdbDataset
            for part in parts:
                getattr(self, name).update(getattr(part, name, {}))

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        if not isinstance(draw, Draw):
            draw = Draw(draw, draw)
        if not 0 <= draw.index < len(self):
            raise IndexError(f"item {draw.index} of a union of {len(self)}")
        which = int(np.searchsorted(self.ends, draw.index, side="right"))
        begin = int(self.ends[which - 1]) if which else 0
        return self.parts[which][Draw(draw.index - begin, draw.number)]


def open_union(
    what: str,
    folders: Sequence[str],
    root: Path,
    refuse_tests: bool = False,
    chosen: Callable[[Path], Sequence[int]] | None = None,
    **options: Any,
) -> UnionDataset:
    """Index all LMDBs in and below some folders; each part is named by its path below the root.

    Args:
        what: What it is for; begins every error.
        folders: Absolute, or relative to ``root``.
        root: Data root.
        refuse_tests: Take no test set.
        chosen: Returns the record numbers that are taken of an LMDB; None takes all.
        **options: protocol, charset and size of :class:`LmdbDataset`.

    Raises:
        FileNotFoundError: If a folder does not exist or there is no LMDB in or below it.
        ValueError: If no folder is named, or an LMDB is listed twice, is broken, or is a test set.
    """
    sets = find_parts(what, folders, root, refuse_tests)
    return UnionDataset(
        [
            LmdbDataset(path, name, only=chosen and chosen(path), **options)
            for path, name in sets.items()
        ]
    )


def find_parts(
    what: str, folders: Sequence[str], root: Path, refuse_tests: bool = False
) -> dict[Path, str]:
    """Return the LMDBs that :func:`open_union` opens, with their names; same errors."""
    if not folders:
        raise ValueError(f"{what}: no folder is named; give at least one")
    sets: dict[Path, str] = {}
    real: set[Path] = set()
    for folder in folders:
        top = root / folder  # an absolute folder stays what it is
        refuse_single_file(top)
        if not top.is_dir():
            raise FileNotFoundError(
                f"{what}: {folder!r} is neither a folder below {root} nor an absolute one"
            )
        below = find_lmdbs(top)
        if not below:
            raise FileNotFoundError(f"{what}: no LMDB (data.mdb) in or below {top}")
        for path in below.values():
            if path.resolve() in real:
                raise ValueError(f"{what}: {path} is listed twice; name it once")
            if refuse_tests and is_test_set(path, root, top):
                raise ValueError(
                    f"{what}: {path} is a test set by its path (a folder test, testing or "
                    f"evaluation, or a benchmark's name); never train on one: name training data, "
                    f"or move it"
                )
            real.add(path.resolve())
            inside = path.is_relative_to(root)
            sets[path] = (path.relative_to(root) if inside else path).as_posix()
    return sets
