"""Trainings on the words of FUNSD that several comparisons share, so that each is done once.

Paths are relative to the root of the repository, as they are in ``experiments``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from dctc.data.document_sets import SOURCES, find_documents
from dctc.studies.runner import Run

CONFIG = "experiments/configs/funsd.yaml"
LOSSES = "experiments/configs/loss"

RENDERED = (
    "--data=dctc.data.rendered.RenderedDataModule",
    "--data.init_args.batch_size=32",
    "--data.init_args.max_length=8",
    "--data.init_args.val_size=256",
    "--data.init_args.test_size=1000",
)
TINY_RENDERED = (
    "--data.init_args.epoch_size=4",
    "--data.init_args.val_size=4",
    "--data.init_args.test_size=4",
)


def fragment(name: str) -> tuple[str, ...]:
    """Return the option that takes one of the losses' configurations."""
    return (f"--config={LOSSES}/{name}.yaml",)


def dctc_template(estimator: str, **arguments: object) -> str:
    """Return the option that trains with DCTC; ``.format(weight)`` completes it.

    Args:
        estimator: How z* is estimated.
        **arguments: Further ones of :class:`dctc.training.callbacks.DCTCCallback`.
    """
    more = "".join(f", {json.dumps(name)}: {json.dumps(v)}" for name, v in arguments.items())
    text = '{{"distill_weight": {}, "estimator": ' + json.dumps(estimator) + more + "}}"
    path = "dctc.training.callbacks.DCTCCallback"
    return f'--trainer.callbacks=[{{{{"class_path": "{path}", "init_args": {text}}}}}]'


@dataclass(frozen=True)
class WordRuns:
    """Runs on the words of FUNSD; where they are not there, rendered words stand in for a trial.

    Attributes:
        real: Whether FUNSD is there.
        tiny: Whether a batch or two is all the data there need be.
    """

    real: bool
    tiny: bool = False

    @property
    def sets(self) -> tuple[str, str]:
        """Names of the validation and the test set."""
        name = SOURCES["funsd"].name
        return (f"{name}_val", name) if self.real else ("rendered", "rendered")

    @property
    def notes(self) -> list[str]:
        """What has to stand below every table."""
        trial = "Rendered words, chosen and tested on the same ones: a trial, no result."
        return [] if self.real else [trial]

    def run(self, name: str, options: Sequence[str], seed: int, tested: bool = True) -> Run:
        """Return the training of an arm.

        Args:
            name: Name of the arm in the registry.
            options: What it changes.
            seed: Seed.
            tested: Whether the test words are scored, or those of validation only.
        """
        validation, test = self.sets
        scored = f"{validation},{test}" if tested else validation
        data: tuple[str, ...] = (f"--data.init_args.test=[{scored}]",)
        if self.tiny:
            data = (*data, "--data.init_args.allow_size_mismatch=true")
        if not self.real:
            data = (*RENDERED, *(TINY_RENDERED if self.tiny else ()))
        return Run(
            name=f"{name}/seed{seed}",
            options=(
                f"--config={CONFIG}",
                *data,
                *options,
                f"--seed_everything={seed}",
                f"--arm={name}",
            ),
            diagnosed=True,
        )


def words_are_there(needed: bool, console: Console) -> bool:
    """Say whether FUNSD is there, and print it if it is not.

    Args:
        needed: Whether rendered words will not do.
        console: Where to print.

    Raises:
        FileNotFoundError: If it is needed and not there.
    """
    try:
        find_documents(SOURCES["funsd"])
    except FileNotFoundError as error:
        if needed:
            raise
        console.print(f"{error}; rendered words stand in", highlight=False)
        return False
    return True
