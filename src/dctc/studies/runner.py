"""Train and test one run, or resume it; skipped if its results are in the registry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from dctc.data.lmdb_sets import LmdbDataModule
from dctc.results.registry import Record, Registry, runs_folder
from dctc.results.upload import LogMode
from dctc.runs.folder import FINAL, alone
from dctc.studies.diagnosis import diagnose
from dctc.studies.study import SEARCH_SEED, Run
from dctc.training.cli import RecognizerCLI
from dctc.training.machine import on_rank_zero


@dataclass(frozen=True)
class Finished:
    """A run that is trained and tested.

    Attributes:
        run: The run.
        folder: Its folder.
        data: Its own data.
        records: Its records by set.
    """

    run: Run
    folder: Path
    data: pl.LightningDataModule
    records: dict[str, Record]


def execute(run: Run, log: LogMode = "offline", net: bool = True) -> Finished:
    """Train and test a run, unless its results are in the registry already.

    An interrupted run resumes from its last checkpoint. A folder of the same name that holds a
    run of another configuration is set aside, not overwritten.

    Args:
        run: What to do.
        log: W&B mode.
        net: Whether the trained net is needed; if not, results in the registry are enough.

    Raises:
        Busy: If another process holds the lock of this run.
        ValueError: If it is to be trained, and its results are those of words from other fonts or
            another corpus; or a set that its study compares is not among its test sets.
    """
    _find_modules_of(run)
    with alone(runs_folder() / run.name):
        cli = RecognizerCLI([*run.options, f"--log={log}"], run=False)
        try:
            tests: list[Any] = [cli.datamodule]
            if run.benchmarks is not None and run.benchmarks.present():
                tests.append(run.benchmarks(cli.resolved))
            for data in tests:  # before the training, which would be in vain if this failed
                data.setup("test")
            _check_sets(run, tests)
            if net or not on_rank_zero(cli.trainer, lambda: _complete(cli, tests, run.diagnosed)):
                _check_source(cli, run.drawn_from)
                cli.train()
                for data in tests:
                    _test(cli, data)
                if run.diagnosed:
                    _diagnose(cli)
        finally:
            _close_wandb(cli.trainer)
        rank_zero_only(_bring_forward)(cli)
        return Finished(run, cli.folder, cli.datamodule, _known(cli))


def resolve(run: Run) -> dict[str, Any]:
    """Return the resolved configuration of a run; nothing is built, and no folder touched."""
    _find_modules_of(run)
    return _Unbuilt([*run.options, "--log=off"], run=False).resolved


class _Unbuilt(RecognizerCLI):
    """Resolves a configuration; builds nothing and touches no folder."""

    def before_instantiate_classes(self) -> None:
        """Check nothing."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Seed nothing."""


def _find_modules_of(run: Run) -> None:
    """Add the study's folder to sys.path."""
    if run.folder is not None and str(run.folder) not in sys.path:
        sys.path.append(str(run.folder))


def _complete(cli: RecognizerCLI, tests: Sequence[Any], diagnosed: bool) -> bool:
    records, own = _known(cli), tests[0]
    described = [name for name in own.test_names if diagnosed and name in own.val_names]
    return all(name in records for data in tests for name in data.test_names) and all(
        "alignment" in records[name].about for name in described
    )


def _check_sets(run: Run, tests: Sequence[Any]) -> None:
    if not run.sets:
        return
    known = [name for data in tests for name in data.test_names]
    if isinstance(tests[0], LmdbDataModule):
        known += tests[0].test  # published sets, some not here
    known += run.benchmarks.names if run.benchmarks else ()
    known = list(dict.fromkeys(known))
    if others := [name for name in run.sets if name not in known]:
        key = "validation" if run.seed == SEARCH_SEED else "sets"
        raise ValueError(
            f"{key}: {others[0]} is no test set of this run; it has {', '.join(known)}"
        )


def _check_source(cli: RecognizerCLI, needed: str) -> None:
    """Refuse results on words that were drawn with fonts or from a corpus that changed since.

    The key of a run does not say which fonts a machine has, or which words a package. ``needed`` is
    the hash of both that the study asks for; empty for any.
    """
    own: Any = cli.datamodule
    records, now = _known(cli), own.drawn_from() if hasattr(own, "drawn_from") else ""
    if needed and now != needed:
        raise ValueError(
            f"{cli.folder}: its test words are to be drawn from {needed}, and the fonts and words "
            f"of this machine give {now}; its configuration names the fonts that are needed"
        )
    for name in own.test_names:
        then = records[name].about.get("drawn_from") if name in records else None
        if now and then and now != then:  # the first records do not say it
            raise ValueError(
                f"{cli.folder}: has results on {name}, drawn with other fonts or words than those "
                f"here; take another folder of runs (DCTC_RUNS), or bring the fonts back"
            )


def _test(cli: RecognizerCLI, data: pl.LightningDataModule) -> None:
    names: list[str] = data.test_names  # type: ignore[attr-defined]

    def is_done() -> bool:
        # a folder that was set aside took its readings with it
        read = all((cli.folder / "readings" / f"{name}.tsv").exists() for name in names)
        return read and set(names) <= set(_known(cli))

    if on_rank_zero(cli.trainer, is_done):
        return
    final = str(cli.folder / "checkpoints" / FINAL)
    cli.trainer.test(cli.model, datamodule=data, ckpt_path=final, weights_only=True, verbose=False)


def _diagnose(cli: RecognizerCLI) -> None:
    data: Any = cli.datamodule
    records = _known(cli)
    final = cli.folder / "checkpoints" / FINAL
    for name, loader in zip(data.test_names, data.test_dataloader(), strict=True):
        if name in data.val_names and "alignment" not in records[name].about:
            weights = torch.load(final, map_location="cpu", weights_only=True)["state_dict"]
            cli.model.float().load_state_dict(weights)
            cli.model.to(cli.trainer.strategy.root_device)  # Lightning leaves it on the CPU
            about = {**records[name].about, "alignment": diagnose(cli.model, loader)}
            # the latest record of a run and set counts
            Registry(runs_folder()).append(replace(records[name], about=about))


def _known(cli: RecognizerCLI) -> dict[str, Record]:
    return Registry(runs_folder()).find(cli.results.run)


def _bring_forward(cli: RecognizerCLI) -> None:
    """Append the run's records again under this arm, as its latest.

    Two arms of one configuration share a run; and records of another configuration of the arm, or
    copied ones, may be newer than the run's own.
    """
    registry, arm = Registry(runs_folder()), cli.results.arm
    taken = registry.latest()
    for name, record in _known(cli).items():
        found = taken.get((arm, record.seed), {}).get(name)
        if found is None or found.run != record.run:
            about = {**record.about, "time": registry.now(arm, record.seed)}
            registry.append(replace(record, arm=arm, about=about))


def _close_wandb(trainer: pl.Trainer) -> None:
    if any(isinstance(logger, WandbLogger) for logger in trainer.loggers):
        run = getattr(sys.modules.get("wandb"), "run", None)
        if run is not None:  # the logger's own attribute would open one
            run.finish()
