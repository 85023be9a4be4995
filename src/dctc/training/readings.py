"""Where readings go: a file of predictions, a table of images in W&B."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import WandbLogger

from dctc.data.records.batch import Batch, Corrupt
from dctc.training.scores import Outcome

HEAD = ("key", "prediction", "confidence", "label")


def prediction_rows(outcomes: Iterable[Outcome], corrupt: Iterable[Corrupt]) -> Iterator[list[str]]:
    """Return a line of a file of predictions for each reading and each unreadable record."""
    for outcome in outcomes:
        yield [outcome.key, outcome.prediction, f"{outcome.confidence:.4f}", outcome.label]
    for record in corrupt:
        yield [record.key, "", f"not read: {record.reason}", ""]


class PredictionWriter(pl.Callback):
    """Writes the readings of ``dctc predict`` as tab-separated text with the columns of HEAD.

    On several processes each writes a file of its own, ``<name>.<rank>``.

    Args:
        file: The file; its folder is created.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the file and write its head."""
        file = self.file
        if trainer.world_size > 1:
            file = file.with_name(f"{file.name}.{trainer.global_rank}")
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = open(file, "w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream, delimiter="\t")
        self._writer.writerow(HEAD)

    def on_predict_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: list[Outcome],
        batch: Batch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write a batch, the unreadable records too."""
        self._writer.writerows(prediction_rows(outputs, batch.corrupt))

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the file."""
        self._stream.close()


class ReadingsTable(pl.Callback):
    """Logs the first validation images with label and prediction to W&B, if a W&B logger is on.

    Args:
        count: Images.
    """

    def __init__(self, count: int = 32) -> None:
        self.count = count

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
        loggers = [logger for logger in trainer.loggers if isinstance(logger, WandbLogger)]
        if batch_idx or dataloader_idx or trainer.sanity_checking or not loggers:
            return
        rows = [
            [_wandb_image(image), outcome.label, outcome.prediction, outcome.confidence]
            for image, outcome in zip(batch.image[: self.count], outputs["outcomes"], strict=False)
        ]
        columns = ["image", "label", "prediction", "confidence"]
        for logger in loggers:
            logger.log_table("val/readings", columns=columns, data=rows)


def _wandb_image(image: Any) -> Any:
    import wandb

    return wandb.Image(((image + 1) * 127.5).byte().permute(1, 2, 0).cpu().numpy())
