"""Checks of a run: configuration, checkpoint, data and length before it begins; then its loss."""

from __future__ import annotations

import os
import traceback
from argparse import ArgumentError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn

import dctc
from dctc.data.records.sampler import Draw
from dctc.data.sets import SetsDataModule
from dctc.results.registry import runs_folder
from dctc.runs.configuration import build, check_class_paths, named
from dctc.runs.folder import BEST, FINAL, LAST_FILE, PREVIOUS, read_checkpoint
from dctc.text.charset import charset_parts
from dctc.training.callbacks import DCTCCallback
from dctc.training.needs import check_batch, check_needs, checked_value, needs
from dctc.training.parser import num_classes
from dctc.training.schedule import check_steps

NEVER = 2**62  # number of a step that no training reaches
# Options of the trainer that a run has no other value of, and why
FIXED: dict[str, tuple[float, str]] = {
    "use_distributed_sampler": (
        False,
        "the data module already shares the data among processes, and Lightning's sampler counts "
        "some samples twice",
    ),
    "overfit_batches": (
        0,
        "batches depend on the step; give a data set of a few words instead",
    ),
    "reload_dataloaders_every_n_epochs": (0, "each epoch would have the batches of the first"),
    "enable_checkpointing": (True, "a run goes on from its checkpoints"),
}
SCORING = ("validate", "test")  # subcommands that train nothing


def check_config(config: dict[str, Any], folder: Path) -> None:
    """Refuse a resolved configuration that a run in a folder cannot have.

    Raises:
        ValueError: If a ``class_path`` names no class.
        SystemExit: For anything else.
    """
    check_class_paths(config)
    for option, (value, why) in FIXED.items():
        if config["trainer"][option] not in (value, None):
            raise SystemExit(f"dctc: trainer.{option} must stay {str(value).lower()}: {why}")
    # as written, since what lies below may be a link to another disk
    if Path(os.path.abspath(runs_folder())) not in Path(os.path.abspath(folder)).parents:
        raise SystemExit(f"dctc: --name {config['name']}: that is not below {runs_folder()}")
    # the folder would be set aside, and the path lead nowhere
    source = config["model"]["net"].get("init_args", {}).get("source")
    tokens = config["model"]["tokenizer"].get("init_args", {}).get("charset") or ""
    for given in (config.get("init_from"), source, *charset_parts(str(tokens))):
        if not given or not Path(given).exists():
            continue
        if not Path(given).resolve().is_relative_to(folder.resolve()):
            continue
        raise SystemExit(
            f"dctc: the run is to begin with {given}, which is in its own folder; take another "
            f"--name"
        )


def check_checkpoint(config: dict[str, Any], subcommand: str | None, folder: Path) -> None:
    """Refuse a ``--ckpt_path`` that is not a file, for which Lightning may use random weights.

    Raises:
        SystemExit: If it is none, is damaged or a run's own that is trained, or leaves nothing to
            train.
    """
    checkpoint = config.get("ckpt_path")
    if subcommand in SCORING and not checkpoint:
        raise SystemExit(
            f"dctc: {subcommand} needs --ckpt_path; without one it would score random weights "
            f"under the name of the run"
        )
    if not checkpoint:
        return
    own = (folder / "checkpoints").resolve()
    if subcommand == "fit" and (checkpoint == "last" or Path(checkpoint).resolve().parent == own):
        raise SystemExit(
            f"dctc: --ckpt_path {checkpoint}: the same command goes on from the run's own last "
            f"checkpoint without it; to train longer, take another --name"
        )
    if not Path(checkpoint).is_file():
        raise SystemExit(
            f"dctc: --ckpt_path {checkpoint}: no such file; {subcommand} takes the file of a "
            f"checkpoint, such as {folder / 'checkpoints' / FINAL}"
        )
    try:
        stored = read_checkpoint(Path(checkpoint))
    except ValueError as error:
        raise SystemExit(f"dctc: --ckpt_path: {error}") from error
    part = "optimizer_states" if subcommand == "fit" else "pytorch-lightning_version"
    if part not in stored:
        raise SystemExit(
            f"dctc: --ckpt_path {checkpoint}: weights alone; {subcommand} takes a whole checkpoint "
            f"of a training, such as {LAST_FILE}"
        )
    if subcommand != "fit":
        return
    epochs = stored["loops"]["fit_loop"]["epoch_progress"]["current"]["completed"]
    for name, count in {"max_steps": stored["global_step"], "max_epochs": epochs}.items():
        limit = config["trainer"][name]
        if limit is not None and 0 <= limit <= count:
            raise SystemExit(
                f"dctc: --ckpt_path {checkpoint}: trained to {name} {count}, so that nothing is "
                f"left to train up to {limit}; raise trainer.{name}"
            )


def try_out(trainer: Any, module: Any, data: Any, checkpoints: Path) -> None:
    """Index the data, and make what a training needs of data, optimizer and callbacks.

    Raises:
        ValueError: If a part does not fit the others.
    """
    for callback in trainer.callbacks:
        if isinstance(callback, ModelCheckpoint):
            _check_names(callback, checkpoints)
    if isinstance(data, SetsDataModule):
        data.setup("fit")
        loader = data.train_dataloader()
        _check_length(trainer, len(loader))
        batch = loader.collate_fn([loader.dataset[Draw(0, 0)]])
        for callback in trainer.callbacks:
            if isinstance(callback, DCTCCallback):
                callback.setup(trainer, module, "fit")
        if batch.label:
            check_batch(module.loss, batch, type(data).__name__)
    module.new_optimizer()


def try_loss(model: Mapping[str, Any]) -> None:
    """Call a CTC loss of someone's own, and its gradient, on two made-up samples on the CPU.

    One that needs features is not called, as their number is the net's. Where there is a GPU, a
    loss that fails is only told of: it may be one for GPUs.

    Args:
        model: The resolved configuration of a module.

    Raises:
        ValueError: If it raises something, gives no scalar tensor or one without a gradient.
        ArgumentError: If its arguments are wrong.
    """
    path = model["loss"]["class_path"]
    of_attention = hasattr(named(model["net"]["class_path"]), "teach")
    if path.startswith(("dctc.", "torch.")) or of_attention:
        return
    check_class_paths({"model.loss": model["loss"]})
    try:
        loss = build("loss", nn.Module, model["loss"])
    except ArgumentError:
        raise
    except Exception as error:  # whatever someone else's code raises
        raise _fault(path, error) from error
    check_needs(loss)
    if "features" in needs(loss):
        return
    made = torch.Generator().manual_seed(0)
    classes = num_classes(model["tokenizer"]["init_args"]["charset"])
    logits = torch.randn(64, 2, classes, generator=made, requires_grad=True)
    one = torch.ones(2, 1, dtype=torch.long)
    extras = {name: logits.detach().clone() for name in {"second", "teacher"} & needs(loss)}
    if "alignment" in needs(loss):
        extras["alignment"] = torch.ones(64, 2, dtype=torch.long)
    try:
        value = checked_value(loss, loss(logits, one, torch.tensor([64, 48]), one[:, 0], **extras))
        value.backward()
        if logits.grad is None:
            raise ValueError("its gradient does not reach the logits")
    except Exception as error:
        fault = _fault(path, error)
        if not torch.cuda.is_available():
            raise fault from error
        print(fault)


def _fault(path: str, error: BaseException) -> ValueError:
    """Return an error of someone else's loss in one line, with the place in their code."""
    while error.__cause__ is not None:  # jsonargparse wraps those of constructors
        error = error.__cause__
    own = tuple(str(Path(str(package.__file__)).parent) for package in (torch, dctc))
    frames = traceback.extract_tb(error.__traceback__)
    at = [frame for frame in frames if not frame.filename.startswith(own)] or frames
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return ValueError(f"loss {path}: {said} ({Path(at[-1].filename).name}:{at[-1].lineno})")


def _check_names(callback: ModelCheckpoint, checkpoints: Path) -> None:
    """Refuse a callback that writes over the run's own checkpoints."""
    folder = checkpoints if callback.dirpath is None else Path(callback.dirpath)
    names = {f"{callback.filename}.ckpt", *([LAST_FILE] if callback.save_last else [])}
    taken = names & {BEST, FINAL, LAST_FILE, PREVIOUS}
    if taken and folder.resolve() == checkpoints.resolve():
        raise ValueError(
            f"ModelCheckpoint: {taken.pop()} in {checkpoints} is the run's own; leave save_last "
            f"out, or give the callback another dirpath or filename"
        )


def _check_length(trainer: pl.Trainer, batches: int) -> None:
    """Refuse a training without a step, an end or its validations, as Lightning does later."""
    limit = trainer.limit_train_batches
    taken = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    ends = {trainer.max_steps, trainer.max_epochs}
    if not taken:
        raise ValueError(
            f"trainer.limit_train_batches {limit}: no batch is left of the {batches} of an epoch"
        )
    check_steps(float("inf") if ends == {-1} else 0 if 0 in ends else taken)
    every = trainer.val_check_interval
    in_epoch = trainer.check_val_every_n_epoch is not None and trainer.limit_val_batches > 0
    if batches % taken and (in_epoch or trainer.max_steps == -1):  # batches go on where one ended
        raise ValueError(
            f"trainer.limit_train_batches {limit}: {taken} batches do not divide the {batches} of "
            f"an epoch; take a number that does, or count steps: trainer.max_steps, and "
            f"trainer.check_val_every_n_epoch null"
        )
    if isinstance(every, int) and every > taken and in_epoch:
        raise ValueError(
            f"trainer.val_check_interval {every}: an epoch has {taken} batches; take fewer, or set "
            f"trainer.check_val_every_n_epoch to null, which counts those of all epochs"
        )


class FiniteLoss:
    """Ends a training whose loss is not finite.

    A GPU is waited for at the steps that are logged alone, and before a checkpoint is saved.
    """

    def __init__(self) -> None:
        self.first_bad: Tensor | None = None  # the first step whose loss is not finite

    def note(self, loss: Tensor, step: int, is_logged: bool) -> None:
        """Note the loss of a step, and end the training now where that costs nothing.

        Raises:
            ValueError: If a loss is not finite.
        """
        here = torch.where(loss.isfinite(), NEVER, step)
        self.first_bad = here if self.first_bad is None else torch.minimum(self.first_bad, here)
        if is_logged or loss.device.type == "cpu":
            self.check()

    def check(self) -> None:
        """End the training if a loss was not finite.

        Raises:
            ValueError: If one was not.
        """
        if self.first_bad is not None and (step := int(self.first_bad)) < NEVER:
            raise ValueError(
                f"train/loss is not finite at step {step}, so the training ends without a final "
                f"checkpoint; lower the learning rate, or set trainer.gradient_clip_val, or, with "
                f"torch's CTCLoss, zero_infinity; or a loss of one's own is at fault"
            )
