"""Logging of a run: W&B, metrics as CSV, its configuration, progress bar and console output."""

from __future__ import annotations

import logging
import os
import re
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from rich.progress import BarColumn

from dctc.data.records.batch import Batch, pixels_of
from dctc.files import naming, write_whole
from dctc.results.upload import WANDB_PROJECT, LogMode, wandb_silent
from dctc.runs.folder import MARK, save_charset

METRICS = "metrics.csv"
_ASIDE = re.compile(r"metrics\.\d+\.csv")


def loggers(folder: Path, name: str, part: str, log: LogMode) -> list[Logger]:
    """Return the loggers of a run.

    Args:
        folder: Folder of the run.
        name: Name of the run; what stands before the first ``/`` is its W&B group.
        part: Folder below it for ``metrics.csv``; empty for training. Scoring has one of its own,
            as Lightning counts its steps from 0 again.
        log: W&B mode.
    """
    found: list[Logger] = [MetricsFile(folder.parent, name=folder.name, version=part)]
    if log != "off":
        wandb_silent(log)
        wandb = WandbLogger(
            name=name,
            project=WANDB_PROJECT,
            save_dir=str(folder),
            offline=log == "offline",
            mode=log,  # the variable that Lightning sets is not read where W&B was used before
            group=name.split("/")[0],
        )
        # Lightning passes this on even if it is not given, and W&B warns about it
        getattr(wandb, "_wandb_init", {}).pop("anonymous", None)
        found.append(wandb)
    return found


def set_metrics_aside(folder: Path) -> None:
    """Rename ``metrics.csv`` to ``metrics.1.csv`` and so on; Lightning's CSVLogger deletes it."""
    metrics = folder / METRICS
    if metrics.exists():
        taken = [name.split(".")[1] for name in os.listdir(folder) if _ASIDE.fullmatch(name)]
        metrics.rename(folder / f"metrics.{max(map(int, taken), default=0) + 1}.csv")


class MetricsFile(CSVLogger):
    """Lightning's logger of metrics as CSV, with the file's name where it cannot be written.

    A file that is there already is renamed when logging begins.
    """

    @property
    def experiment(self) -> Any:
        """What writes the file."""
        if self._experiment is None:
            rank_zero_only(set_metrics_aside)(Path(self.log_dir))
        return super().experiment

    def save(self) -> None:
        """Write what was logged since."""
        with naming(Path(self.log_dir, METRICS)):
            super().save()


class SaveConfig(SaveConfigCallback):
    """Saves the resolved configuration as ``config.yaml`` of the run, and logs it to W&B.

    Args:
        parser: The parser.
        config: What it has read.
        folder: Where the file goes, whatever the logger.
    """

    def __init__(self, parser: Any, config: Any, folder: Path) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.folder = folder

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Write the file, and log it to W&B."""
        # with what follows from other options, as the key of the run follows from all of it
        text = self.parser.dump(self.config, skip_link_targets=False, skip_unset=False)
        write_whole(self.folder / "config.yaml", text.encode())
        if (self.folder / MARK).exists():  # of the run itself, not of a test of it
            save_charset(str(self.config.model.tokenizer.init_args.charset), self.folder)
        for logger in _wandb_loggers(trainer):
            logger.log_hyperparams(self.config.clone().as_dict())


class ReadingsTable(pl.Callback):
    """Logs the first 32 validation images with label and prediction to W&B."""

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Log the first batch of the first set."""
        wandb_loggers = _wandb_loggers(trainer)
        if batch_idx or dataloader_idx or trainer.sanity_checking or not wandb_loggers:
            return
        if not batch.label:  # none of it can be read
            return
        import wandb

        rows = [
            [wandb.Image(image), outcome.label, outcome.prediction, outcome.confidence]
            for image, outcome in zip(
                pixels_of(batch.image[:32]), outputs["outcomes"], strict=False
            )
        ]
        columns = ["image", "label", "prediction", "confidence"]
        for logger in wandb_loggers:
            logger.log_table("val/readings", columns=columns, data=rows)


def _wandb_loggers(trainer: pl.Trainer) -> list[WandbLogger]:
    return [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]


class ProgressBar(RichProgressBar):
    """Progress bar that counts epochs, and whose lines fit a terminal of 80 columns.

    Lightning's shows "Epoch 0/-2" if max_steps is given.
    """

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Epoch {current_epoch + 1}"

    @property
    def validation_description(self) -> str:
        """What the bar of a validation is called."""
        return "Val"

    def configure_columns(self, trainer: Any) -> list[Any]:
        """Return Lightning's columns, with a short bar."""
        columns = super().configure_columns(trainer)
        for column in columns:
            if isinstance(column, BarColumn):
                column.bar_width = 8
        return columns

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return the values beside the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # Lightning's version number, always empty here
        short = {"val/accuracy": "val"}
        return {short.get(k, k.removeprefix("train/")): value for k, value in metrics.items()}


def quiet_lightning() -> None:
    """Filter messages and warnings of Lightning that users cannot act on."""
    for package in ("pytorch_lightning", "lightning_fabric"):
        for handler in logging.getLogger(package).handlers:
            handler.addFilter(_is_of_use)  # once, however often this is called
    for message in _NOISY_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def _is_of_use(record: logging.LogRecord) -> bool:
    return not _NOISE.search(record.getMessage())


_NOISE = re.compile(
    r"Tip:|weights_only|^Restoring states|^Loaded model|[GTH]PU available|was configured|^Seed set"
)
_NOISY_WARNINGS = (
    "It is recommended to use `self.log\\(.*sync_dist=True",  # the metrics are already summed
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",  # Lightning on a new torch
    "LightningCLI's args parameter is intended",  # RecognizerCLI is called from Python too
    "Experiment logs directory .* exists and is not empty",  # see set_metrics_aside
    "The dataloader, .*, does not have many workers",  # rendering is cheap, cores may be few
    "You have overridden `transfer_batch_to_device` in `LightningModule`",  # to keep widths on CPU
    "Consider setting `persistent_workers=True`",  # workers are started a few times a run
)
