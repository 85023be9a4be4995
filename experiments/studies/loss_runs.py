"""Trainings on the words of FUNSD that table 3 plans, and which of them table 1 shows too."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dctc.data.document_sets import SOURCES
from dctc.results.registry import Registry
from dctc.studies.search import choices
from dctc.studies.weight_search import WeightSearch
from experiments.studies.loss_arms import ARMS, BY_KEY, REFERENCE
from experiments.studies.word_runs import WordRuns
from experiments.tables.model_arms import ModelArm

MODEL = "small_resnet"  # that of experiments/configs/funsd.yaml


@dataclass(frozen=True)
class Scale:
    """How much is run.

    Attributes:
        arms: Which arms.
        weights: How many weights of each.
        seeds: Final seeds at most.
        options: What it changes in every run.
    """

    arms: tuple[str, ...]
    weights: int
    seeds: int
    options: tuple[str, ...] = ()


SCALES = {
    "tiny": Scale(("ctc", "dctc"), 1, 1, ("--config=experiments/configs/trainer/tiny.yaml",)),
    "smoke": Scale(
        ("ctc", "dctc"), 2, 1, ("--trainer.max_steps=200", "--trainer.val_check_interval=100")
    ),
    "small": Scale(tuple(BY_KEY), 3, 8),
}


def target(scale: str) -> str:
    """Return the folder of a scale's runs, which begins the names of its arms too."""
    return "table3" if scale == "small" else f"table3-{scale}"


def plan(scale: str, real: bool) -> WeightSearch:
    """Return the runs of a scale; where FUNSD is not there (``real``) on rendered words."""
    chosen = SCALES[scale]
    arms = [replace(arm, weights=arm.weights[: chosen.weights]) for arm in ARMS]
    return WeightSearch(
        target(scale),
        WordRuns(real, tiny=scale == "tiny"),
        tuple(arm for arm in arms if arm.key in chosen.arms),
        chosen.seeds,
        chosen.options,
    )


def forms_pair(scale: str, registry: Registry) -> tuple[ModelArm, ModelArm]:
    """Return CTC and DCTC at its chosen weight on the test words of forms.

    DCTC has no records where a weight that is planned is not searched, so that none is chosen yet.
    """
    study, test = plan(scale, real=True), SOURCES["funsd"].name
    found = study.find(registry)
    chosen, arms = choices(study.read(found)), {arm.key: arm for arm in study.arms()}
    reference, loss = (
        ModelArm(
            MODEL,
            f"{arms[key].title} {chosen.get(key, '')}".strip(),
            {test: study.final_records(found, arms[key], chosen[key])[0] if key in chosen else {}},
        )
        for key in (REFERENCE, "dctc")
    )
    return reference, loss
