"""The strongest losses on English words, beside CTC and DCTC: which, their runs and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dctc.data.rendered import NAME as RENDERED
from dctc.results.comparison import find_arms
from dctc.results.registry import Registry
from dctc.results.tables import Table
from dctc.studies.runner import Run
from dctc.studies.search import Searched, choices
from dctc.studies.study import Arm
from dctc.studies.weight_search import WeightSearch
from experiments.studies.loss_runs import MODEL, SCALES, target
from experiments.studies.scene_runs import (
    DISTILL_WEIGHT,
    SIX,
    SceneRuns,
    both_losses,
    models_target,
    net,
)
from experiments.tables.losses_on_sets import losses_on_sets

BEST = 2  # rivals; CR-CTC is none, as its views are augmented, and CTC and DCTC of table 1 not
MOST_SEEDS = 3


def english_rivals(study: WeightSearch, searched: Mapping[str, Searched]) -> list[Arm]:
    """Return the strongest rivals that train as CTC does, each at its chosen weight."""
    best = [(a, choices(searched)[a.key]) for a in study.strongest(searched, BEST)]
    return [Arm(a.name(w), f"{a.title} {w}", (*net(MODEL), *a.command(w))) for a, w in best]


def english_runs(scale: str, rivals: Sequence[Arm], seeds: Sequence[int] | None) -> list[Run]:
    """Return the runs on English words: those of table 1, and the rivals; of each seed all."""
    scene = SceneRuns(scale)
    seeds = range(min(MOST_SEEDS, SCALES[scale].seeds)) if seeds is None else seeds
    studies = (
        scene.study(models_target(scale), both_losses(MODEL), seeds),
        scene.study(f"{target(scale)}-english", rivals, seeds),
    )
    return [of.run(arm, seed) for seed in seeds for of in studies for arm in of.arms]


def english_tables(scale: str, registry: Registry, rivals: Sequence[Arm]) -> dict[str, Table]:
    """Return the tables of English words; none without CTC and one more loss.

    Of the rivals only those that the search names: while it was open, others may have been trained.
    """
    of_models = find_arms(registry, f"{models_target(scale)}/")
    planned = f"DCTC {DISTILL_WEIGHT}"
    losses = {
        "CTC": of_models.get(f"{MODEL}-ctc", {}),
        planned: of_models.get(f"{MODEL}-dctc", {}),
    }
    found = find_arms(registry, f"{target(scale)}-english/")
    losses |= {arm.title: found[arm.key] for arm in rivals if arm.key in found}
    note = (
        f"Trained on rendered scene words. CTC and DCTC are those of table 1; the others are the "
        f"{BEST} rivals that read most validation words of forms, at the weights chosen there. "
        f"CR-CTC takes no part: its views need augmentation, which theirs are trained without."
    )
    title, means = "Losses on English words", {"six-set mean": SIX}
    tables = losses_on_sets(title, registry, MODEL, losses, means, RENDERED, planned, [note])
    return dict(zip(("english", "english-differences"), tables or (), strict=False))
