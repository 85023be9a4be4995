"""RecognizerModule, the LightningModule: net, loss, tokenizer, optimizer and schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.cli import OptimizerCallable
from pytorch_lightning.utilities import rank_zero_warn
from pytorch_lightning.utilities.types import LRSchedulerConfigType, OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics import MeanMetric

from dctc.data.records.batch import Batch, Corrupt
from dctc.metrics.scores import SetScores
from dctc.results.predictions import Outcome
from dctc.runs.folder import check_charset
from dctc.text import CTCTokenizer, get_protocol, usual_protocol
from dctc.training.callbacks import is_logged
from dctc.training.checks import FiniteLoss
from dctc.training.needs import Teacher, check_batch, needs
from dctc.training.objective import AttentionObjective, objective_of, read_batch
from dctc.training.schedule import FineTuning, Freeze, WarmupCosine, check_steps


class RecognizerModule(pl.LightningModule):
    """Training, validation, test and prediction of a text recogniser.

    Args:
        net: A :class:`~dctc.models.Recognizer`, or an :class:`~dctc.models.AttentionRecognizer`.
        loss: Called as :class:`torch.nn.CTCLoss` is; takes logits. With a net that reads by
            attention, a :class:`~dctc.losses.cross_entropy.CharacterCrossEntropy`.
        tokenizer: Maps characters to classes.
        optimizer: Makes the optimizer from named parameters; its learning rate is for the global
            batch.
        schedule: Factor on the learning rate as a function of the share of training done; None is
            :class:`~dctc.training.schedule.WarmupCosine`.
        protocol: Name of the protocol that labels and predictions pass before they are compared.
            None is that of the charset: ``english36`` for ``36`` (so for ``62`` and ``94``),
            ``verbatim`` for the characters of a file.
        compile: Compile the net with torch.compile, at its first batch; that takes a while and, on
            a CPU, a C++ compiler. Results are rounded otherwise; checkpoints fit either way.
        freeze: ``backbone`` trains the last layer alone; a number, so many steps before the rest.
        layer_lr_decay: Factor on the learning rate from layer to layer towards the image, in twelve
            groups before the last layer, which has the full rate; None is 1.

    Raises:
        ValueError: If the net's classes are not those of the tokenizer, net and loss do not go
            together, or ``compile`` would have nothing to compile.

    Attributes:
        outcomes: Readings of the last test, by set, of this process.
        corrupt: Unreadable records of the last test, by set, of this process.
    """

    # nn.Module's attributes are opaque to type checkers
    net: Any
    loss: Any
    teacher: Any  # a Teacher where the loss needs one

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        tokenizer: CTCTokenizer,
        optimizer: OptimizerCallable = torch.optim.AdamW,
        schedule: Callable[[float], float] | None = None,
        protocol: str | None = None,
        compile: bool = False,
        freeze: Freeze | None = None,
        layer_lr_decay: float | None = None,
    ) -> None:
        super().__init__()
        tokenizer.check_net(net)
        self.objective = objective_of(net, loss)
        if compile:
            if isinstance(self.objective, AttentionObjective) or "features" in needs(loss):
                raise ValueError(
                    f"compile: net {type(net).__name__} is not run as a whole with loss "
                    f"{type(loss).__name__}, so nothing would be compiled; leave it off"
                )
            net.compile()  # in place, so that the names in a checkpoint stay what they are
        self.net = net
        self.tuning = FineTuning(net, freeze, layer_lr_decay)
        self.loss = loss
        # stored in checkpoints with the net
        self.teacher = Teacher(net, self.loss.teacher_decay) if "teacher" in needs(loss) else None
        self.tokenizer = tokenizer
        self.make_optimizer = optimizer
        self.schedule = WarmupCosine() if schedule is None else schedule
        self.protocol = get_protocol(protocol or usual_protocol(tokenizer.charset))
        self.scores = SetScores()
        # over all sets, for which Lightning's own mean has no name
        self.val_loss = MeanMetric()
        self._finite = FiniteLoss()
        # labels that the net cannot emit and unreadable records, since the epoch began
        self._counts = torch.zeros(2, dtype=torch.long)
        self.outcomes: dict[str, list[Outcome]] = {}
        self.corrupt: dict[str, list[Corrupt]] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into the net's logits, ``(t, n, c)`` of a CTC net."""
        return self.net(images)

    # ---- training ----

    def train(self, mode: bool = True) -> RecognizerModule:
        """Set training mode, of what is trained."""
        super().train(mode)
        if mode:
            self.tuning.set_mode()
        return self

    def on_fit_start(self) -> None:
        """Note the seed of the run."""
        self._seed = torch.initial_seed()
        self._finite = FiniteLoss()

    def on_train_start(self) -> None:
        """Go on with the batch after the last one of a checkpoint.

        Lightning sees to it where it makes the loader after it has restored the checkpoint; with
        max_epochs the schedule asks for its length before that.
        """
        self.trainer.fit_loop._load_combined_loader_states()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed dropout and the like by seed and step, so that a resumed run draws the same."""
        step = [self._seed, self.global_rank, self.global_step, batch_idx]
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1, np.uint64)[0]))

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Move a batch; widths stay on the CPU to avoid a GPU sync."""
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved._replace(width=batch.width)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the loss of a batch.

        Raises:
            ValueError: If no record of the batch could be read, or it lacks what the loss needs.
        """
        if not batch.label:
            first = batch.corrupt[0]
            raise ValueError(
                f"none of the {len(batch.corrupt)} records of batch {batch_idx} can be read; the "
                f"first: {first.key}: {first.reason}"
            )
        check_batch(self.loss, batch, type(self.trainer.datamodule).__name__)  # type: ignore[attr-defined]
        outputs = self.objective.outputs(self, batch)
        loss, unfit = self.objective.loss(self, batch, outputs)
        if getattr(self.loss, "reduction", "") == "sum":  # of all processes, whose mean DDP takes
            loss = loss * self.trainer.world_size
        n = len(batch.label)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=n)
        if unfit:
            rank_zero_warn(f"{unfit} of {n} labels {self.objective.explain(self)}")
        self._counts += torch.tensor([unfit, len(batch.corrupt)])
        seen = is_logged(self.trainer) or not self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        self._finite.note(loss.detach(), self.global_step, seen)
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the labels that the net cannot emit, and the unreadable records, of the epoch."""
        unfit, corrupt = self._epoch_counts().tolist()
        counts = {f"train/{self.objective.unfit}": unfit, "train/corrupt": corrupt}
        self.log_dict({name: float(count) for name, count in counts.items()})
        self._counts.zero_()

    def _epoch_counts(self) -> Tensor:
        """Return the counts of all processes."""
        counts: Tensor = self.trainer.strategy.reduce(
            # not self.device, a CPU by the end, for which the processes of GPUs have no group
            self._counts.to(self.trainer.strategy.root_device, copy=True),
            reduce_op="sum",
        )
        return counts

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take a step, and let the teacher follow."""
        super().optimizer_step(*args, **kwargs)
        if self.teacher is not None:
            self.teacher.update_parameters(self.net)

    def new_optimizer(self) -> torch.optim.Optimizer:
        """Make an optimizer of the parameters that are trained.

        They are given with names, as torch's optimizers take them too; some go by the names.
        """
        named = [(name, p) for name, p in self.named_parameters() if p.requires_grad]
        made: torch.optim.Optimizer = self.tuning.make(self.make_optimizer, named)
        return made

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Return the optimizer and its schedule, which moves with every step."""
        optimizer = self.new_optimizer()
        total = self.trainer.estimated_stepping_batches
        check_steps(total)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            self.tuning.schedules(optimizer, lambda step: self.schedule((step + 1) / total)),
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": LRSchedulerConfigType(scheduler=schedule, interval="step", name="lr"),
        }

    # ---- evaluation ----

    def on_validation_epoch_start(self) -> None:
        """Make a fresh score for every validation set."""
        self._fresh_scores("val")
        self.val_loss.reset()

    def on_test_epoch_start(self) -> None:
        """Make a fresh score for every test set."""
        self._fresh_scores("test")

    def _fresh_scores(self, stage: str) -> None:
        self.outcomes.clear()
        self.corrupt.clear()
        self.scores = SetScores(self.set_names(stage)).to(self.device)

    def set_names(self, stage: str) -> list[str]:
        """Return the names of the sets of a stage, ``val`` or ``test``, in their loaders' order."""
        names = getattr(getattr(self.trainer, "datamodule", None), f"{stage}_names", None)
        if names is not None:
            return list(names)
        loaders = getattr(self.trainer, f"num_{stage}_batches")
        return [f"set{i}" for i in range(len(loaders))]

    def validation_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, list[Outcome]]:
        """Score a batch, count its loss, and return its ``outcomes``."""
        if not batch.label:
            return {"outcomes": []}
        outputs = self.objective.outputs(self, batch)
        self.val_loss.update(self.objective.loss(self, batch, outputs).value, len(batch.label))
        return {"outcomes": self._score(batch, outputs, dataloader_idx)}

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score a batch and keep its outcomes."""
        name = self.set_names("test")[dataloader_idx]
        if batch.label:
            outcomes = self._score(batch, self.objective.outputs(self, batch), dataloader_idx)
            self.outcomes.setdefault(name, []).extend(outcomes)
        self.corrupt.setdefault(name, []).extend(batch.corrupt)

    def _score(self, batch: Batch, outputs: Any, number: int) -> list[Outcome]:
        outcomes = self.read(batch, outputs)
        self.scores.update(number, [o.prediction for o in outcomes], [o.label for o in outcomes])
        return outcomes

    def read(self, batch: Batch, outputs: Any) -> list[Outcome]:
        """Decode a batch from the objective's outputs: the logits ``(t, n, c)`` of a CTC net."""
        return read_batch(self, self.protocol, batch, outputs)

    def on_validation_epoch_end(self) -> None:
        """Log the scores of each validation set and of their union, ``val/accuracy``."""
        self._log_scores("val")
        self.log("val/loss", self.val_loss.compute())

    def on_test_epoch_end(self) -> None:
        """Log the scores of each test set and of their union."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        for name, scores in self.scores.compute():
            prefix = f"{stage}/{name}" if name else stage
            for metric, value in scores.items():
                self.log(
                    f"{prefix}/{metric}", value, prog_bar=prefix == "val" and metric == "accuracy"
                )

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> list[Outcome]:
        """Read a batch."""
        return self.read(batch, self.objective.outputs(self, batch)) if batch.label else []

    # ---- checkpoints ----

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the charset, so that a checkpoint is never read with another one, and the counts.

        Raises:
            ValueError: If the loss is not finite any more.
        """
        self._finite.check()
        checkpoint["charset"] = self.tokenizer.charset.characters
        if self._trainer is not None:
            checkpoint["counts"] = self._epoch_counts().tolist()

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load weights.

        Raises:
            ValueError: If they are those of another net.
        """
        try:
            return super().load_state_dict(*args, **kwargs)
        except RuntimeError as error:
            reason = " ".join(str(error).partition(":")[2].split())
            raise ValueError(f"the checkpoint is of another net: {reason[:300]}") from error

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another charset, and go on with its counts."""
        check_charset(checkpoint, self.tokenizer.charset)
        if self.global_rank == 0:  # they are those of all processes
            self._counts = torch.tensor(checkpoint.get("counts", [0, 0]))
