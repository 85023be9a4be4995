"""What a run shows on the terminal."""

from __future__ import annotations

import logging
import re
import warnings
from typing import Any

from pytorch_lightning.callbacks import RichProgressBar


class ProgressBar(RichProgressBar):
    """Names the epoch; Lightning's says "Epoch 0/-2" where the length is given in steps."""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Training, epoch {current_epoch + 1}"

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        """Return what stands beside the bar."""
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # says nothing here
        return {name.removeprefix("train/"): value for name, value in metrics.items()}


def quiet_lightning() -> None:
    """Silence what Lightning says that nobody can act on: advertisements and its own affairs."""
    for handler in logging.getLogger("pytorch_lightning").handlers:
        handler.addFilter(lambda record: not _NOISE.search(record.getMessage()))
    for message in _NOISY_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


_NOISE = re.compile(
    r"Tip:|weights_only|^Restoring states|^Loaded model|TPU available|was configured"
)
_NOISY_WARNINGS = (
    "It is recommended to use `self.log\\(.*sync_dist=True",  # the metrics have summed already
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",  # Lightning on a new torch
    "LightningCLI's args parameter is intended",  # runs.py gives arguments on purpose
    "Experiment logs directory .* exists and is not empty",  # set_metrics_aside saw to it
    "The dataloader, .*, does not have many workers",  # rendering is cheap, cores may be few
    "You have overridden `transfer_batch_to_device` in `LightningModule`",  # so that widths stay
    "Consider setting `persistent_workers=True`",  # they are forked a few times a run
)
