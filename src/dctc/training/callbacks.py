"""Callbacks that a configuration may name: DCTC training, and a log of all estimators of z*."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from dctc.ctc import (
    ESTIMATORS,
    CTCTerms,
    Labels,
    Logits,
    candidate_classes,
    pack_labels,
    viterbi_alignment,
)
from dctc.ctc.linear import chunks, outline
from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss, DCTCLoss
from dctc.losses.dctc import Target
from dctc.metrics.alignment import compare_alignment, true_alignment

METRICS = ("aacc_label", "aacc_true", "viterbi_agreement")  # of EstimatorLog


def is_logged(trainer: Any) -> bool:
    """Tell whether Lightning logs the step that is being taken."""
    every = trainer.log_every_n_steps  # 0 is never
    return bool(every) and (trainer.global_step + 1) % every == 0


class DCTCCallback(pl.Callback):
    """DCTC training (arXiv 2308.08806) of a module that has a CTC loss.

    A :class:`torch.nn.CTCLoss` or :class:`dctc.CTCLoss` in ``module.loss`` is replaced by a
    :class:`dctc.DCTCLoss` of the same blank and reduction; a DCTCLoss stays and keeps its
    estimator. The weight of the distillation term rises linearly over ``warmup_steps`` optimizer
    steps, as a function of the global step, so a resumed run goes on where it was. With
    ``distill_weight=0`` training is plain CTC, with everything logged that DCTC logs: the fair
    baseline.

    Logged with every ``Trainer(log_every_n_steps)``-th step, over its batch, or the share that the
    first of several processes has of it: ``train/ctc`` and
    ``train/distill`` (nats per sample, unweighted), ``train/distill_weight``,
    ``train/blank_share``, ``train/aacc_label``, ``train/viterbi_agreement`` and, where the extents
    of characters are known, ``train/aacc_true``; see :mod:`dctc.metrics.alignment`.

    Args:
        distill_weight: alpha, once warmed up. The authors' default is 0.1.
        estimator: How z* is estimated, where the loss is replaced; ``given`` takes the true
            alignment, of rendered words.
        warmup_steps: Optimizer steps over which alpha rises from 0.

    Raises:
        ValueError: If ``module.loss`` is some other loss.
    """

    def __init__(
        self,
        distill_weight: float = 0.1,
        estimator: Target = "likelihood",
        warmup_steps: int = 0,
    ) -> None:
        self.distill_weight = distill_weight
        self.estimator: Target = estimator
        self.warmup_steps = warmup_steps

    def setup(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Put a DCTCLoss into the module."""
        loss = pl_module.loss
        if type(loss) in (nn.CTCLoss, CTCLoss):  # not a subclass, which is another loss
            pl_module.loss = DCTCLoss(
                distill_weight=self.distill_weight,
                estimator=self.estimator,
                blank=loss.blank,
                reduction=loss.reduction,
            )
        elif not isinstance(loss, DCTCLoss):
            raise ValueError(
                f"DCTCCallback: module.loss is a {type(loss).__name__}, for the net "
                f"{type(pl_module.net).__name__}; it works on CTCLoss and DCTCLoss only; "
                f"with another loss leave it out (trainer.callbacks: [])"
            )

    def weight(self, step: int) -> float:
        """Return alpha at an optimizer step."""
        return self.distill_weight * min(1.0, (step + 1) / (self.warmup_steps + 1))

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Set alpha for this step, and watch the loss if Lightning logs the step too."""
        loss = pl_module.loss
        loss.distill_weight = self.weight(trainer.global_step)
        watched = is_logged(trainer)
        loss.watch = (lambda *seen: self._log_terms(pl_module, batch, *seen)) if watched else None

    def _log_terms(
        self, module: Any, batch: Batch, logits: Logits, labels: Labels, terms: CTCTerms
    ) -> None:
        if not module.training:
            return
        loss, module.loss.watch = module.loss, None
        logged = term_report(loss, batch, logits, labels, terms)
        logged["distill_weight"] = loss.distill_weight
        module.log_dict(
            {f"train/{name}": value for name, value in logged.items()},
            on_step=True,
            batch_size=len(batch.label),
        )

    def teardown(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Stop watching."""
        pl_module.loss.watch = None


@torch.no_grad()
def term_report(
    loss: DCTCLoss, batch: Batch, logits: Logits, labels: Labels, terms: CTCTerms
) -> dict[str, float]:
    """Describe one batch: both terms in nats per sample, and the quality of z*.

    Of the loss its blank and scale are read, of the batch its widths and extents. The logits are
    ``(t, n, c)``, or a :class:`dctc.ctc.LinearLogits`; the terms are what the loss makes of them.
    """
    t, n, _ = outline(logits).shape
    columns = candidate_classes(labels, loss.blank).expand(t, n, -1)
    emissions = torch.cat(
        [
            torch.log_softmax(some.float() * loss.scale, 2).gather(2, columns[frames])
            for frames, some in chunks(logits)
        ]
    )
    viterbi = viterbi_alignment(emissions.double(), labels, loss.blank)
    true = None
    if batch.extents is not None:
        width = batch.image.shape[3]
        extents = batch.extents[:, : labels.classes.shape[1]]  # longer labels fit no frames
        true = true_alignment(extents, labels.classes, labels.lengths, t, width, loss.blank)
    counts = compare_alignment(terms.alignment, labels, viterbi, loss.blank, true)
    return {
        "ctc": terms.nll.mean().item(),
        "distill": terms.distill.mean().item(),
        **counts.shares(),
    }


class EstimatorLog(pl.Callback):
    """Logs ``train/<metric>/<estimator>`` beside what :class:`DCTCCallback` logs.

    The metrics are :data:`METRICS`, see :mod:`dctc.metrics.alignment`; ``aacc_true`` only where the
    extents of characters are known. The estimators are all of :data:`dctc.ctc.ESTIMATORS`, on the
    same logits of the same batch: every ``Trainer(log_every_n_steps)``-th one. It does not affect
    training.

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
        self._hook = loss.register_forward_hook(lambda _, args, __: self._log(pl_module, args))

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Batch, batch_idx: int
    ) -> None:
        """Note the batches whose steps Lightning logs."""
        if is_logged(trainer):
            self._batch = batch

    def _log(self, module: Any, args: tuple[Logits, Tensor, Tensor, Tensor]) -> None:
        if self._batch is None or not module.training:
            return
        batch, self._batch = self._batch, None
        labels = pack_labels(outline(args[0]), *args[1:], module.loss.blank)
        for name, loss in self._losses.items():
            report = term_report(loss, batch, args[0], labels, loss.terms(*args))
            found = {f"train/{m}/{name}": report[m] for m in METRICS if m in report}
            module.log_dict(found, on_step=True, batch_size=len(batch.label))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stop watching."""
        if stage == "fit" and hasattr(self, "_hook"):
            self._hook.remove()
