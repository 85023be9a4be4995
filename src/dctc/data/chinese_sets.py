"""The sets of the Chinese benchmark: what they are, where they lie, whether they are complete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from dctc.data.published import Benchmark, Found, match
from dctc.data.records.environment import count_records
from dctc.data.records.root import find_lmdbs

_FUDAN = "FudanVI/benchmarking-chinese-text-recognition (GitHub)"
_HOW_TO_GET = {
    "Scene": f"the LMDBs linked in the README of {_FUDAN}",
    "Web": f"the LMDBs linked in the README of {_FUDAN}",
    "Document": f"the LMDBs linked in the README of {_FUDAN}",
    "Handwriting": f"SCUT-HCCDoc (HCIILAB), divided and converted as the README of {_FUDAN} says",
}
# Training, validation and test records: README of that repository.
_SIZES = {
    "Scene": (509_164, 63_645, 63_646),
    "Web": (112_471, 14_059, 14_059),
    "Document": (400_000, 50_000, 50_000),
    "Handwriting": (74_603, 18_651, 23_389),
}


def _part(part: str, place: int, suffix: str) -> dict[str, Benchmark]:
    return {
        name: Benchmark(
            f"{name}{suffix}",
            sizes[place],
            (f"{name.lower()}_{part}", f"{name.lower()}/{part}"),
            _HOW_TO_GET[name],
        )
        for name, sizes in _SIZES.items()
    }


TRAIN_SETS = _part("train", 0, "_train")
VAL_SETS = _part("val", 1, "_val")
TEST_SETS = {
    **_part("test", 2, ""),
    # printed lines in traditional characters; no part of the benchmark
    "TAIGI_Hanji": Benchmark(
        "TAIGI_Hanji", 375, ("taigi_hanji_375", "taigi_hanji"), "an LMDB named TAIGI_Hanji_375"
    ),
}


def find_sets(
    registry: Mapping[str, Benchmark], names: Iterable[str], root: str | Path
) -> dict[str, Found]:
    """Look for sets below a data root; those that are not there are not in the answer.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
        ValueError: If two folders bear the name of one set.
    """
    lmdbs = find_lmdbs(root)
    paths = {name: match(registry[name], lmdbs) for name in names}
    return {name: Found(registry[name], path) for name, path in paths.items() if path}


def training_folders(
    names: Iterable[str], root: Path, allow_size_mismatch: bool = False
) -> list[str]:
    """Return the folders to train on.

    Args:
        names: Names of :data:`TRAIN_SETS`, looked for below the root, or folders: these are
            returned as they are.
        root: Data root.
        allow_size_mismatch: Take a training set of another size all the same.

    Raises:
        FileNotFoundError: If a named set is not below the root; says how to get it.
        ValueError: If it is not of the published size.
    """
    names = list(names)
    found = find_sets(TRAIN_SETS, [name for name in names if name in TRAIN_SETS], root)
    folders = []
    for name in names:
        if name not in TRAIN_SETS:
            folders.append(name)
            continue
        wanted = TRAIN_SETS[name]
        if name not in found:
            raise FileNotFoundError(
                f"train: {name} not found below {root} (a folder {wanted.aliases[0]}); get it: "
                f"{wanted.how_to_get}"
            )
        path = found[name].path
        if count_records(path) != wanted.size and not allow_size_mismatch:
            raise ValueError(
                f"train: {count_records(path):,} records where {wanted.size:,} are expected, in "
                f"{path}; get {wanted.how_to_get}, or set allow_size_mismatch to train all the same"
            )
        folders.append(str(path))
    return folders
