"""The data root: which LMDB folders lie below it, and on which side of a split."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "DCTC_DATA"
# Folders that hold one side of a split, in the releases of PARSeq and of clovaai. MJSynth has a
# `test` part that everyone trains on (train/synth/MJ/test), so a train folder above it decides.
TRAIN_FOLDERS = frozenset({"train", "training", "val", "valid", "validation"})
TEST_FOLDERS = frozenset({"test", "testing", "evaluation"})
PARTIAL = ".partial"  # how the folder ends that a set is written into until it is complete


def data_root(root: str | Path | None = None) -> Path:
    """Return ``root``, else the folder named by ``DCTC_DATA``, else ``./data``."""
    return Path(root or os.environ.get(ENVIRONMENT_VARIABLE) or "data").absolute()


def find_lmdbs(root: str | Path, unfinished: bool = False) -> dict[str, Path]:
    """Return the LMDB folders below ``root`` (or ``root`` itself), by relative path, sorted.

    Links are followed; a folder reached twice is listed once.

    Args:
        root: Where to look.
        unfinished: Look below ``root`` for sets that have not been written to the end too.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(
            f"data root {root}: not a folder; set {ENVIRONMENT_VARIABLE} or data_root"
        )
    found: dict[str, Path] = {}
    visited: set[str] = set()
    for folder, below, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in visited:
            below.clear()
            continue
        visited.add(real)
        below[:] = sorted(name for name in below if unfinished or not name.endswith(PARTIAL))
        if "data.mdb" in files:
            found[Path(folder).relative_to(root).as_posix()] = Path(folder)
    return dict(sorted(found.items()))


def split_side(folder: Path) -> str | None:
    """Tell from its path which side of a split a folder is on: ``train``, ``test`` or None."""
    parts = {part.lower() for part in folder.parts}
    if parts & TRAIN_FOLDERS:
        return "train"
    return "test" if parts & TEST_FOLDERS else None
