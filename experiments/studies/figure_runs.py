"""Trainings on rendered words that figures 1, 3 and 4 share, so that each is done once.

Paths are relative to the root of the repository, as they are in ``experiments``.
"""

from __future__ import annotations

from collections.abc import Sequence

from dctc.studies.runner import DataFactory, Finished
from dctc.studies.study import Arm, Study
from dctc.training.nets import Loaded, load_net
from dctc.training.run_folder import FINAL

CONFIGS = "experiments/configs"
CTC = Arm("ctc", "CTC", ("--trainer.callbacks.init_args.distill_weight=0.0",))
DCTC = Arm("dctc", "DCTC")
ATTENTION = Arm(
    "attention",
    "Attention",
    (
        f"--config={CONFIGS}/model/attention_small_resnet.yaml",
        f"--config={CONFIGS}/loss/character_cross_entropy.yaml",
        "--model.optimizer.init_args.lr=0.002",  # that of trainer/cpu.yaml
        "--trainer.callbacks=[]",
    ),
)

DATA = "--data.init_args"
SCALES: dict[str, tuple[str, ...]] = {
    "tiny": (
        f"{DATA}.epoch_size=4",
        f"{DATA}.val_size=4",
        f"{DATA}.test_size=96",
        f"--config={CONFIGS}/trainer/tiny.yaml",
    ),
    "smoke": (
        f"{DATA}.batch_size=16",
        f"{DATA}.test_size=1000",
        "--trainer.max_steps=1000",
        "--trainer.val_check_interval=500",
    ),
    "small": (),
}
SEEDS = {"tiny": (0,), "smoke": (0,), "small": (0, 1, 2)}  # where figures average over them


def study(
    scale: str,
    arms: Sequence[Arm] = (CTC, DCTC),
    seeds: Sequence[int] | None = None,
    tests: Sequence[DataFactory] = (),
) -> Study:
    """Return the trainings of a figure.

    Args:
        scale: One of :data:`SCALES`.
        arms: What is compared.
        seeds: Seeds of each arm; None is those of :data:`SEEDS`.
        tests: Further test data of every run.
    """
    options = (f"--config={CONFIGS}/figures.yaml", *SCALES[scale])
    chosen = SEEDS[scale] if seeds is None else tuple(seeds)
    return Study(f"figures-{scale}", tuple(arms), chosen, options, tuple(tests))


def by_arm(finished: Sequence[Finished], arms: int) -> list[list[Finished]]:
    """Return the runs of each arm by seed, from those of a study in its order.

    Args:
        finished: All runs of a study.
        arms: How many it compares.
    """
    return [list(finished[i::arms]) for i in range(arms)]


def load(run: Finished) -> Loaded:
    """Load the trained net of a run."""
    return load_net(run.folder / "config.yaml", run.folder / "checkpoints" / FINAL)
