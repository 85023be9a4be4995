"""Where a run logs to: W&B, and a CSV file in any case."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import WandbLogger

LogMode = Literal["offline", "online", "off"]
WANDB_PROJECT = "dctc"


class SaveConfig(SaveConfigCallback):
    """Saves the resolved configuration beside the run, and hands it to W&B."""

    def __init__(self, parser: Any, config: Any, **options: Any) -> None:
        super().__init__(parser, config, **{**options, "overwrite": True})

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Hand it to W&B; the file is written by Lightning."""
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(self.config.clone().as_dict())


@contextmanager
def without_wandb() -> Iterator[None]:
    """Make ``import wandb`` fail meanwhile; timm imports it wherever it is installed."""
    if "wandb" in sys.modules:
        yield
        return
    sys.modules["wandb"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["wandb"]


def set_metrics_aside(folder: Path) -> None:
    """Keep the metrics of an earlier part of the run: ``metrics.csv`` becomes ``metrics.1.csv``.

    Lightning's CSVLogger would delete them.
    """
    metrics = folder / "metrics.csv"
    if metrics.exists():
        number = len(list(folder.glob("metrics.*.csv"))) + 1
        metrics.rename(folder / f"metrics.{number}.csv")
