"""Trainings of models with CTC and with DCTC that table 1 plans: words, and lines of receipts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dctc.studies.runner import Run
from dctc.studies.study import Arm, Study
from experiments.studies.scene_runs import (
    CONFIGS,
    DATA,
    DISTILL_WEIGHT,
    TINY,
    SceneRuns,
    both_losses,
    limited,
    models_target,
)

# The term is a sum over frames: a line has 128, a word 32, so that both weigh the same; ours
LINES_WEIGHT = DISTILL_WEIGHT / 4
PARTS = ("scene", "sroie")


@dataclass(frozen=True)
class Model:
    """A model of the command line.

    Attributes:
        options: What it changes in the training of the small one.
        lines: What it changes besides where images are 512 pixels wide.
    """

    options: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


# Larger nets want a GPU, and a lower learning rate than the small one's; ours, not tuned.
LARGER = ("--model.optimizer.init_args.lr=0.001",)
WIDE = ("--model.net.init_args.width=512",)  # of SVTR's embedded positions
MODELS = {
    "small_resnet": Model(),
    "resnet18_bilstm": Model(LARGER),
    "crnn": Model(LARGER),
    "svtr_tiny": Model(LARGER, WIDE),
    "svtr_small": Model(LARGER, WIDE),
}


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        seeds: Seeds of each part.
        sroie: What it changes in the training on receipts.
    """

    seeds: dict[str, int]
    sroie: tuple[str, ...] = ()


SCALES = {
    "tiny": Scale({"scene": 1, "sroie": 1}, (f"{DATA}.allow_size_mismatch=true", *TINY)),
    "smoke": Scale({"scene": 1, "sroie": 1}, limited(30)),
    "small": Scale({"scene": 5, "sroie": 5}),
}


def target(scale: str, part: str = "scene") -> str:
    """Return the folder of a part's runs, which begins the names of its arms too."""
    name = models_target(scale)
    return name if part == "scene" else f"{name}-{part}"


def arms(part: str, models: Sequence[str]) -> tuple[Arm, ...]:
    """Return every model with both losses; they differ in the weight of the second term alone."""
    pairs = []
    for model in models:
        options, lines = MODELS[model].options, MODELS[model].lines
        if part == "sroie":
            pairs.append(both_losses(model, (*options, *lines), LINES_WEIGHT))
        else:
            pairs.append(both_losses(model, options))
    return tuple(arm for pair in pairs for arm in pair)


def study(part: str, scale: str, models: Sequence[str], seeds: Sequence[int] | None) -> Study:
    """Return the trainings of a part."""
    name, chosen = target(scale, part), SCALES[scale]
    seeds = range(chosen.seeds[part]) if seeds is None else seeds
    if part == "scene":
        return SceneRuns(scale).study(name, arms(part, models), seeds)
    shared = (f"--config={CONFIGS}/{part}.yaml", *chosen.sroie)
    return Study(name, arms(part, models), tuple(seeds), shared)


def plans(
    scale: str,
    parts: Sequence[str] = PARTS,
    models: Sequence[str] = ("small_resnet",),
    seeds: Sequence[int] | None = None,
) -> dict[str, list[Run]]:
    """Return all runs of parts, by the part's target."""
    return {target(scale, part): study(part, scale, models, seeds).runs() for part in parts}
