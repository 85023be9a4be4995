"""Benchmarks as further test data of a run whose own data is something else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dctc.data.benchmarks import find_benchmarks, find_train_words
from dctc.data.english import REAL_TRAIN_WORDS, EnglishDataModule
from dctc.data.records.folders import data_root
from dctc.runs.configuration import IMAGES

# What the benchmarks share with a run's own data
_SHARED = (*IMAGES, "eval_batch_size", "num_workers")


@dataclass(frozen=True)
class Benchmarks:
    """Makes the data module of English benchmarks from a run's configuration.

    A class and not a closure, so that runs can be handed to other processes.

    Attributes:
        names: Names of benchmarks.
        allow_size_mismatch: Score a benchmark that has not the published number of records.
    """

    names: tuple[str, ...]
    allow_size_mismatch: bool = False

    def present(self) -> set[str]:
        """Return the names of those that lie below the data root; a test skips the others."""
        root = data_root()
        if not root.is_dir():
            return set()
        there = {*find_benchmarks(root)}
        if find_train_words(root):
            there.add(REAL_TRAIN_WORDS)
        return there & {*self.names}

    def __call__(self, config: dict[str, Any]) -> EnglishDataModule:
        """Return the data module; images are as those of the run's own data, labels as its model's.

        The configuration of the run is the resolved one.
        """
        own, model = config["data"].get("init_args", {}), config["model"]
        return EnglishDataModule(
            test=list(self.names),
            allow_size_mismatch=self.allow_size_mismatch,
            charset=model["tokenizer"]["init_args"]["charset"],
            protocol=model["protocol"],
            **{name: own[name] for name in _SHARED if name in own},
        )
