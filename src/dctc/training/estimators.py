"""EstimatorLog: the AACC of every estimator of z*, whatever the loss trains with."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from dctc.ctc import ESTIMATORS, pack_labels
from dctc.data.records.batch import Batch
from dctc.losses import DCTCLoss
from dctc.training.callbacks import term_report

METRICS = ("aacc_label", "aacc_true", "viterbi_agreement")


class EstimatorLog(pl.Callback):
    """Logs ``train/<metric>/<estimator>`` beside what :class:`DCTCCallback` logs.

    The metrics are :data:`METRICS`, see :mod:`dctc.metrics.alignment`; ``aacc_true`` only where the
    extents of characters are known. The estimators are all of :data:`dctc.ctc.ESTIMATORS`, on the
    same logits of the same batch: every ``Trainer(log_every_n_steps)``-th one. It only looks on.

    Raises:
        ValueError: If the module's loss is no DCTCLoss when training starts; a DCTCCallback makes
            it one.
    """

    def __init__(self) -> None:
        self._batch: Batch | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Watch the calls of the loss."""
        loss = pl_module.loss
        if not isinstance(loss, DCTCLoss):
            raise ValueError(
                f"EstimatorLog: module.loss is a {type(loss).__name__}; add a DCTCCallback, with "
                f"distill_weight 0 for plain CTC"
            )
        self._losses = {
            name: DCTCLoss(estimator=name, blank=loss.blank, scale=loss.scale)  # type: ignore[arg-type]
            for name in ESTIMATORS
        }
        self._hook = loss.register_forward_hook(
            lambda _, args, kwargs, __: self._log(pl_module, args, kwargs), with_kwargs=True
        )

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Note the batches whose steps Lightning logs."""
        if (trainer.global_step + 1) % trainer.log_every_n_steps == 0:
            self._batch = batch

    def _log(
        self, module: pl.LightningModule, args: tuple[Tensor, Tensor, Tensor, Tensor], kwargs: Any
    ) -> None:
        if self._batch is None or not module.training:
            return
        batch, self._batch = self._batch, None
        for name, loss in self._losses.items():
            labels = pack_labels(*args, loss.blank)
            report = term_report(loss, batch, args[0], labels, loss.terms(*args, **kwargs))
            found = {f"train/{m}/{name}": report[m] for m in METRICS if m in report}
            module.log_dict(found, on_step=True, batch_size=len(batch.label))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stop watching."""
        if stage == "fit" and hasattr(self, "_hook"):
            self._hook.remove()
