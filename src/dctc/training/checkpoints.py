"""The checkpoints of a run: where it goes on, and what its training ends with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

FINAL = "final.ckpt"
LAST = "last"  # what fit takes in place of a file: the last checkpoint of the run itself
CHECKPOINT_EVERY = 100  # optimizer steps; what a killed run loses at most


class FinalCheckpoint(pl.Callback):
    """Marks a finished training, so that a resumed run knows one from a killed one.

    Args:
        file: Written when training has come to its end.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def on_fit_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """Write the checkpoint, unless training was interrupted."""
        if not trainer.interrupted and not trainer.fast_dev_run:
            trainer.save_checkpoint(self.file)


def digest(file: str) -> str:
    """Return a short hash of a file's content."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8]
