"""Trainings on rendered Chinese lines, which Table 2 and Figure 4 share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from dctc.data.render.fonts import find_fonts, split_fonts
from dctc.results.registry import runs_folder
from dctc.studies.stored_words import StoredWords
from dctc.studies.study import Arm, Study
from dctc.text import Charset
from experiments.studies.word_runs import dctc_template, fragment

CONFIGS = Path("experiments/configs")
CONFIG = CONFIGS / "chinese_lines.yaml"
DATA = "--data.init_args"
CHARACTERS = 1000  # Chinese ones; digits and small letters come on top
ALPHA = "0.01"  # authors' CRNN experiment
MODEL = "small_resnet"
ARMS = (
    Arm(f"{MODEL}-ctc", "CTC", fragment("ctc")),
    Arm(f"{MODEL}-dctc", f"DCTC {ALPHA}", (dctc_template("likelihood").format(ALPHA),)),
)


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        seeds: Seeds of both arms.
        options: What it changes in every training.
    """

    seeds: tuple[int, ...]
    options: tuple[str, ...] = ()


SCALES = {
    "tiny": Scale(
        (0,),
        (
            f"{DATA}.epoch_size=4",
            f"{DATA}.val_size=4",
            f"{DATA}.test_size=4",
            f"--config={CONFIGS}/trainer/tiny.yaml",
        ),
    ),
    "smoke": Scale(
        (0,),
        (
            f"{DATA}.epoch_size=3200",
            f"{DATA}.val_size=128",
            f"{DATA}.test_size=256",
            "--trainer.max_steps=100",
            "--trainer.val_check_interval=100",
        ),
    ),
    "small": Scale((0, 1, 2)),
}


def target(scale: str) -> str:
    """Return the folder of a scale's runs, which begins the names of its arms too."""
    return "table2" if scale == "small" else f"table2-{scale}"


def charset() -> Path:
    """Return where the characters are listed."""
    return runs_folder() / "words" / f"chinese{CHARACTERS}.txt"


def lines(scale: str) -> StoredWords:
    """Return the training lines; those of all seeds, which differ in their order."""
    return StoredWords("chinese", CONFIG, SCALES[scale].options, charset=str(charset()))


def study(scale: str, seeds: Sequence[int] | None = None) -> Study:
    """Return the trainings of a scale."""
    return Study(
        target(scale),
        ARMS,
        SCALES[scale].seeds if seeds is None else tuple(seeds),
        (
            f"--config={CONFIG}",
            f"--model.tokenizer.init_args.charset={charset()}",
            *SCALES[scale].options,
            lines(scale).option,
        ),
        diagnosed=True,
    )


def fonts_are_there(needed: bool, console: Console) -> bool:
    """Say whether two families of fonts draw Chinese, and print it if not.

    Args:
        needed: Whether nothing can be done without.
        console: Where to print.

    Raises:
        ValueError: If they are needed and not there.
    """
    try:
        characters = Charset.load(str(charset())).characters
        split_fonts(find_fonts("system"), held_out=True, chinese=characters)
    except ValueError as error:
        if needed:
            raise
        console.print(f"{error}; left out", highlight=False)
        return False
    return True
