"""Trainings on rendered scene words that several comparisons share, so that each is done once.

They are scored on the six English benchmarks. Paths are relative to the root of the repository, as
they are in ``experiments``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dctc.data.benchmarks import find_benchmarks
from dctc.data.records.root import data_root
from dctc.studies.real_words import Benchmarks
from dctc.studies.stored_words import StoredWords
from dctc.studies.study import Arm, Study
from experiments.studies.word_runs import fragment

CONFIGS = Path("experiments/configs")
CONFIG = CONFIGS / "scene.yaml"
DATA = "--data.init_args"
SIX = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")
DISTILL_WEIGHT = 0.1  # authors' code, default; table 3's search on validation words chose it too


def limited(steps: int) -> tuple[str, ...]:
    """Return the options of a short training, which is validated once, on 512 samples."""
    last = f"--trainer.val_check_interval={steps}"
    return (f"--trainer.max_steps={steps}", last, "--trainer.limit_val_batches=2")


TINY = (f"--config={CONFIGS}/trainer/tiny.yaml",)
ANYWHERE = (f"{DATA}.fonts=null", f"{DATA}.words=python")  # a trial needs no fonts of the machine
SCALES: dict[str, tuple[str, ...]] = {
    "tiny": (
        *ANYWHERE,
        f"{DATA}.epoch_size=4",
        f"{DATA}.val_size=4",
        f"{DATA}.test_size=4",
        *TINY,
    ),
    "short": (
        *ANYWHERE,
        f"{DATA}.epoch_size=1600",
        f"{DATA}.test_size=512",
        *limited(50),
        "--trainer.limit_test_batches=4",
    ),
    "smoke": (*ANYWHERE, f"{DATA}.epoch_size=6400", f"{DATA}.test_size=512", *limited(200)),
    "small": (),
}


def both_losses(
    model: str, options: Sequence[str] = (), distill_weight: float = DISTILL_WEIGHT
) -> tuple[Arm, Arm]:
    """Return a model with CTC and with DCTC; they differ in the weight of the second term alone.

    Args:
        model: Name of its configuration.
        options: What both change.
        distill_weight: DCTC's alpha.
    """
    ctc, dctc = (
        Arm(
            f"{model}-{loss}",
            f"{model}, {loss.upper()}",
            (
                *net(model),
                *fragment(loss),
                f"--trainer.callbacks.init_args.distill_weight={weight}",
                *options,
            ),
        )
        for loss, weight in (("ctc", 0.0), ("dctc", distill_weight))
    )
    return ctc, dctc


def net(model: str) -> tuple[str, ...]:
    """Return the option that takes one of the models' configurations."""
    return (f"--config={CONFIGS}/model/{model}.yaml",)


def models_target(scale: str) -> str:
    """Return the first part of the names of the arms of :func:`both_losses`: table 1's."""
    return "table1" if scale == "small" else f"table1-{scale}"


@dataclass(frozen=True)
class SceneRuns:
    """Runs on rendered scene words.

    Attributes:
        scale: One of ``SCALES``.
    """

    scale: str

    @property
    def words(self) -> StoredWords:
        """The training words; those of all seeds, which differ in their order."""
        return StoredWords("scene", CONFIG, SCALES[self.scale])

    @property
    def options(self) -> tuple[str, ...]:
        """The command line of ``dctc fit`` that all arms share."""
        return (f"--config={CONFIG}", *SCALES[self.scale], self.words.option)

    @property
    def tests(self) -> tuple[Benchmarks, ...]:
        """The benchmarks; none if not one of them is there."""
        root = data_root()
        there = root.is_dir() and set(SIX) & set(find_benchmarks(root)[0])
        return (Benchmarks(SIX, allow_size_mismatch=self.scale == "tiny"),) if there else ()

    def study(self, name: str, arms: Sequence[Arm], seeds: Sequence[int]) -> Study:
        """Return the trainings of arms.

        Args:
            name: Of the study.
            arms: What is compared.
            seeds: Seeds of each arm.
        """
        return Study(name, tuple(arms), tuple(seeds), self.options, self.tests)

    def prepare(self, console: Console) -> None:
        """Draw the training words that are missing; say so if no benchmark is there."""
        self.words.write()
        if not self.tests:
            console.print(
                f"No real benchmarks found below {data_root()} (DCTC_DATA): rendered words that "
                f"were held out stand in. The README says how to get the benchmarks.",
                highlight=False,
            )
