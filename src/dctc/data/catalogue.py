"""Catalogue of published sets: names, sizes, folder names, and where to get them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dctc.data.records.folders import ENVIRONMENT_VARIABLE


@dataclass(frozen=True)
class Benchmark:
    """One published set of labelled word images."""

    name: str  # in tables and configs
    size: int  # records of the published set
    # Folder names that it is published under, in lower case; val/svt asks for the folder above too
    aliases: tuple[str, ...]
    how_to_get: str  # where it comes from, in one line
    derived_from: str | None = None  # set that it can be selected from, see three_or_more

    def matches(self, folder: Path) -> bool:
        """Return whether a folder is named as this set."""
        parts = [part.lower() for part in folder.parts[-2:]]
        return not {"/".join(parts), *parts[-1:]}.isdisjoint(self.aliases)

    def missing_from(self, root: Path, consequence: str = "") -> str:
        """Return that a set is missing below a root, a clause on what follows, and its source."""
        return (
            f"{self.name}: not found below {root} ({ENVIRONMENT_VARIABLE}){consequence}; it is a "
            f"folder named {self.aliases[0]}; get it: {self.how_to_get}"
        )

    def check_size(self, size: int, path: Path) -> None:
        """Raise ValueError for a folder that has not the published number of records."""
        if size != self.size:
            raise ValueError(
                f"{self.name}: {size:,} records where {self.size:,} are expected, in {path}; get "
                f"{self.how_to_get}, or set allow_size_mismatch to take it anyway"
            )


_HAND_PICKED = "a hand-picked subset of IC15_2077 that cannot be derived; only in"
_RELEASES = "the LMDBs released by baudm/parseq or clovaai/deep-text-recognition-benchmark"


def _english(name: str, size: int, source: str, derived_from: str | None = None) -> Benchmark:
    base = name.lower().removesuffix(f"_{size}")
    aliases = dict.fromkeys((name.lower(), f"{base}_{size}"))
    return Benchmark(name, size, tuple(aliases), f"{source} {_RELEASES}", derived_from)


# The English benchmarks. Sizes: arXiv 1904.01906.
BENCHMARKS = {
    one.name: one
    for one in (
        _english("IIIT5K", 3000, "IIIT 5K-word (CVIT, IIIT Hyderabad), or"),
        _english("SVT", 647, "The Street View Text Dataset (UCSD), or"),
        _english("IC13_857", 857, "derived from IC13_1015, or", "IC13_1015"),
        _english("IC13_1015", 1015, "ICDAR 2013 (rrc.cvc.uab.es, challenge 2, task 3), or"),
        _english("IC15_1811", 1811, _HAND_PICKED),
        _english("IC15_2077", 2077, "ICDAR 2015 (rrc.cvc.uab.es, challenge 4, task 3), or"),
        _english("SVTP", 645, "SVT-Perspective (from its authors), or"),
        _english("CUTE80", 288, "CUTE80 (C. S. Chan, University of Malaya), or"),
    )
}

# The official training words of four benchmarks: the field's usual validation data.
TRAIN_WORDS = {
    f"{name}_{size}": Benchmark(
        f"{name}_{size}",
        size,
        (f"{name.lower()}_{size}", f"val/{name.lower()}"),
        f"{source}, train",
    )
    for name, size, source in (
        ("IIIT5K", 2000, "IIIT 5K-word"),
        ("IC13", 848, "ICDAR 2013"),
        ("IC15", 4468, "ICDAR 2015"),
        ("SVT", 257, "The Street View Text Dataset"),
    )
}

_FUDAN = "FudanVI/benchmarking-chinese-text-recognition (GitHub)"
_LMDBS = f"the LMDBs linked in the README of {_FUDAN}"
_HCCDOC = f"SCUT-HCCDoc (HCIILAB), divided and converted as the README of {_FUDAN} says"
# Settings of the Chinese benchmark: training, validation and test records (README of that
# repository).
_SETTINGS = {
    "Scene": (509_164, 63_645, 63_646, _LMDBS),
    "Web": (112_471, 14_059, 14_059, _LMDBS),
    "Document": (400_000, 50_000, 50_000, _LMDBS),
    "Handwriting": (74_603, 18_651, 23_389, _HCCDOC),
}


def _chinese(place: int, part: str, suffix: str) -> dict[str, Benchmark]:
    sets = {}
    for name, (*sizes, how_to_get) in _SETTINGS.items():
        aliases = (f"{name.lower()}_{part}", f"{name.lower()}/{part}")
        sets[name] = Benchmark(f"{name}{suffix}", sizes[place], aliases, how_to_get)
    return sets


CHINESE_TRAIN = _chinese(0, "train", "_train")
CHINESE_VAL = _chinese(1, "val", "_val")
CHINESE_TEST = {
    **_chinese(2, "test", ""),
    # printed lines in traditional characters; no part of the benchmark
    "TAIGI_Hanji": Benchmark(
        "TAIGI_Hanji", 375, ("taigi_hanji_375", "taigi_hanji"), "an LMDB named TAIGI_Hanji_375"
    ),
}


@dataclass(frozen=True)
class Source:
    """A set of English documents and its parts."""

    name: str  # of the test set; the validation set is <name>_val
    width: int  # of the images, in pixels (w)
    train: Benchmark
    test: Benchmark | None = None  # None splits a tail off from train

    @property
    def parts(self) -> list[Benchmark]:
        """The folders there are."""
        return [self.train, self.test] if self.test else [self.train]


_FUNSD = (
    "word crops of FUNSD (Jaume et al., 2019, guillaumejaume.github.io/FUNSD), its official split"
)
_SROIE = "line crops of the receipts of ICDAR 2019 SROIE (rrc.cvc.uab.es, challenge 13)"
DOCUMENTS = {
    "funsd": Source(
        "FUNSD",
        128,
        Benchmark("FUNSD, training words", 21_888, ("funsd_words_21888",), _FUNSD),
        Benchmark("FUNSD, test words", 8_707, ("funsd_words_8707",), _FUNSD),
    ),
    "sroie": Source(
        "SROIE", 512, Benchmark("SROIE, lines", 27_066, ("sroie_lines_27066",), _SROIE)
    ),
}


class Archive(NamedTuple):
    """One kind of archive that is converted to an LMDB."""

    form: str  # of the annotation file, see dctc.data.archives.convert.FORMS
    source: str  # what the annotation file is called or looks like
    benchmark: Benchmark | None = None  # registered set that it becomes


ARCHIVES = {
    "iiit5k-test": Archive("iiit5k", "testdata.mat", BENCHMARKS["IIIT5K"]),
    "iiit5k-train": Archive("iiit5k", "traindata.mat", TRAIN_WORDS["IIIT5K_2000"]),
    "svt-test": Archive("svt", "test.xml", BENCHMARKS["SVT"]),
    "svt-train": Archive("svt", "train.xml", TRAIN_WORDS["SVT_257"]),
    "ic13-test": Archive("ic13_1015", "gt.txt", BENCHMARKS["IC13_1015"]),
    "ic13-train": Archive("icdar", "gt.txt", TRAIN_WORDS["IC13_848"]),
    "ic15-test": Archive("icdar", "gt.txt", BENCHMARKS["IC15_2077"]),
    "ic15-train": Archive("icdar", "gt.txt", TRAIN_WORDS["IC15_4468"]),
    "svtp": Archive("image_list", "imagelist.txt", BENCHMARKS["SVTP"]),
    "cute80": Archive("image_list", "imagelist.txt", BENCHMARKS["CUTE80"]),
    "mjsynth": Archive("mjsynth", "annotation_train.txt"),
    "synthtext": Archive("synthtext", "gt.mat"),
    "table": Archive("table", "TSV, CSV or text file of images and labels"),
}

# All test sets; SROIE is no set of its own
TEST_SETS = [*BENCHMARKS.values(), *CHINESE_TEST.values()] + [
    source.test for source in DOCUMENTS.values() if source.test
]
# All but the English benchmarks
OTHERS = [
    one for sets in (TRAIN_WORDS, CHINESE_TEST, CHINESE_TRAIN, CHINESE_VAL) for one in sets.values()
] + [part for source in DOCUMENTS.values() for part in source.parts]
