"""The losses at the scale of the paper (its Table 3): SVTR-T on MJSynth and SynthText.

Which net and which rows the paper's table has is not known to us. Each loss is taken as its
fragment has it; nothing is searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.studies.launch import Launch
from experiments.studies.paper_scale import ENGLISH_IMAGES

MODEL = "svtr_tiny"
CONFIG = Path(f"experiments/configs/paper/english_{MODEL}_dctc.yaml")
LOSSES = Path("experiments/configs/loss")
AUGMENTED = "ctc_augmented"  # what CR-CTC is compared with: its views are augmented
# CTC and DCTC are trained for table 1; cross entropy is for nets that read by attention.
ELSEWHERE = ("ctc", "dctc", "character_cross_entropy")
FEATURES = 192  # d of SVTR-T


def loss_launches(name: str, shared: str, seeds: Sequence[int]) -> list[Launch]:
    """Return the trainings: CTC and DCTC, which table 1 has too, and all other losses.

    Args:
        name: Folder of the runs of the other losses.
        shared: Folder of table 1's.
        seeds: Seeds of each loss.
    """
    both = Launch(CONFIG, shared, MODEL, ENGLISH_IMAGES, seeds)
    as_long = ("--trainer.max_epochs=-1", f"--trainer.max_steps={both.steps}")
    more = {
        "center": (f"--model.loss.init_args.num_features={FEATURES}",),
        # two views each of half as many words: as many images and steps as its reference
        "cr_ctc": (f"--data.init_args.batch_size={both.batch // 2}", *as_long),
    }
    losses = {
        file.stem: _options(file, "--trainer.callbacks=[]", *more.get(file.stem, ()))
        for file in sorted(LOSSES.glob("*.yaml"))
        if file.stem not in ELSEWHERE
    }
    losses[AUGMENTED] = _options(LOSSES / "ctc.yaml", "--data.init_args.augment=1.0", *as_long)
    return [both, Launch(CONFIG, name, MODEL, ENGLISH_IMAGES, seeds, losses=losses)]


def _options(fragment: Path, *more: str) -> tuple[str, ...]:
    return ("--config", str(fragment), *more)
