"""The English document sets: where they lie below the data root, and whether they are complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dctc.data.published import Benchmark, match
from dctc.data.records.environment import count_records
from dctc.data.records.root import ENVIRONMENT_VARIABLE, data_root, find_lmdbs


@dataclass(frozen=True)
class Source:
    """Where the parts of a set lie.

    Attributes:
        name: Name of the test set; the validation set is ``<name>_val``.
        width: Width of the images in pixels (w).
        train: The folder that is trained on.
        test: The folder of the official test set; None splits a tail off from ``train``.
    """

    name: str
    width: int
    train: Benchmark
    test: Benchmark | None

    @property
    def parts(self) -> list[Benchmark]:
        """The folders there are."""
        return [self.train, self.test] if self.test else [self.train]


_FUNSD = (
    "word crops of FUNSD (Jaume et al., 2019, guillaumejaume.github.io/FUNSD), its official split"
)
_SROIE = "line crops of the receipts of ICDAR 2019 SROIE (rrc.cvc.uab.es, challenge 13)"
SOURCES = {
    "funsd": Source(
        "FUNSD",
        128,
        Benchmark("FUNSD, training words", 21_888, ("funsd_words_21888",), _FUNSD),
        Benchmark("FUNSD, test words", 8_707, ("funsd_words_8707",), _FUNSD),
    ),
    "sroie": Source(
        "SROIE",
        512,
        Benchmark("SROIE, lines", 27_066, ("sroie_lines_27066",), _SROIE),
        None,
    ),
}


def find_documents(source: Source, root: str | Path | None = None) -> dict[str, Path]:
    """Return the LMDB folders of a source by the name of its part.

    Args:
        source: One of :data:`SOURCES`.
        root: Data root; None is the environment variable ``DCTC_DATA``, or ``data``.

    Raises:
        FileNotFoundError: If a folder is not there; says which and where it comes from.
        ValueError: If several folders bear the name of one.
    """
    top = data_root(root)
    lmdbs = find_lmdbs(top) if top.is_dir() else {}
    found = {}
    for part in source.parts:
        path = match(part, lmdbs)
        if path is None:
            raise FileNotFoundError(
                f"{part.name}: no LMDB folder {part.aliases[0]!r} below {top} "
                f"({ENVIRONMENT_VARIABLE}); it holds {part.how_to_get}"
            )
        found[part.name] = path
    return found


def check_size(source: Source, found: Mapping[str, Path]) -> None:
    """Refuse folders that have not the known number of records.

    Args:
        source: One of :data:`SOURCES`.
        found: From :func:`find_documents`.

    Raises:
        ValueError: If one has another number; says what is expected.
    """
    for part in source.parts:
        size = count_records(found[part.name])
        if size != part.size:
            raise ValueError(
                f"{part.name}: {size:,} records where {part.size:,} are expected, in "
                f"{found[part.name]}; get {part.how_to_get}, or set allow_size_mismatch to take "
                f"it anyway"
            )
