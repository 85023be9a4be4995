"""``dctc fit | validate | test | predict``: a LightningCLI around RecognizerModule.

What every run gets, whatever its configuration: a folder ``<runs>/<name>`` with the resolved
configuration, ``metrics.csv``, checkpoints and, unless logging is off, the W&B files; a record in
the registry ``<runs>/results.jsonl`` for each tested set. The configuration and the metrics of
another subcommand than fit lie in a folder below, such as ``<runs>/<name>/test``. ``<runs>`` is the
environment variable ``DCTC_RUNS``, or ``runs``.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import MPSAccelerator
from pytorch_lightning.callbacks import ModelCheckpoint, RichProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from dctc.reporting.registry import OTHER_WEIGHTS, runs_folder
from dctc.text import Charset
from dctc.training.folder import GONE_ON, claim, go_on, marked
from dctc.training.module import RecognizerModule
from dctc.training.readings import PredictionWriter, ReadingsTable
from dctc.training.results import ResultsWriter
from dctc.training.run_key import run_key

LogMode = Literal["offline", "online", "off"]
WANDB_PROJECT = "dctc"
SCORING = ("validate", "test", "predict")  # subcommands that train nothing


class RecognizerCLI(LightningCLI):
    """Builds trainer, module and data from layered YAML; adds folder, logging and registry."""

    def __init__(self, args: list[str] | None = None, run: bool = True) -> None:
        words = sys.argv[1:] if args is None else args
        log_off = "--log=off" in words or ("--log", "off") in pairwise(words)
        with _without_wandb() if log_off else nullcontext():
            super().__init__(
                RecognizerModule,
                pl.LightningDataModule,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                save_config_callback=_SaveConfig,
                seed_everything_default=0,
                trainer_defaults={"use_distributed_sampler": False, "enable_model_summary": False},
                args=args,
                run=run,
            )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the run's name and logging; derive what follows from something else."""
        parser.add_argument("--name", default="run", help="Name of the run and of its folder.")
        parser.add_argument(
            "--log",
            type=LogMode,
            default="offline",
            help="W&B: offline, online, or off. Metrics go to a CSV file in any case.",
        )
        parser.add_argument("--arm", default="", help="What is compared; derived if not given.")
        charset = "model.tokenizer.init_args.charset"
        parser.link_arguments(charset, "data.init_args.charset")
        parser.link_arguments(charset, "model.net.init_args.num_classes", num_classes)
        parser.link_arguments("model.protocol", "data.init_args.protocol")
        parser.link_arguments("seed_everything", "data.init_args.seed", int)

    @property
    def resolved(self) -> dict[str, Any]:
        """The whole configuration of the chosen subcommand, as plain values."""
        self._dump_config()
        callbacks = self.config_dump["trainer"]["callbacks"]
        if isinstance(callbacks, dict):  # Lightning takes a single one too
            self.config_dump["trainer"]["callbacks"] = [callbacks]
        return self.config_dump

    @property
    def folder(self) -> Path:
        """The folder of this run."""
        return runs_folder() / self.resolved["name"]

    def before_instantiate_classes(self) -> None:
        """Share out the cores, and check what Lightning would only find out later."""
        share_cores(self.resolved["data"].get("init_args", {}).get("num_workers") or 0)
        # precision 32 is that of a CPU; torch would let a GPU's convolutions round to TF32
        torch.backends.cudnn.allow_tf32 = False
        if self.resolved["trainer"]["use_distributed_sampler"]:
            raise SystemExit(
                "dctc: trainer.use_distributed_sampler must stay false: the data is already "
                "shared out over the processes, and Lightning's sampler counts some samples twice"
            )
        if self.resolved["trainer"]["overfit_batches"]:
            raise SystemExit(
                "dctc: trainer.overfit_batches is not supported, as batches depend on the step; "
                "'dctc bench --what overfit' trains a model on 16 words until it reads all"
            )
        # as written, since what lies below may be a link to another disk
        if Path(os.path.abspath(runs_folder())) not in Path(os.path.abspath(self.folder)).parents:
            raise SystemExit(f"dctc: --name {self.resolved['name']}: that is not below the runs")
        checkpoint = self.resolved.get("ckpt_path")
        self._check_checkpoint(checkpoint)
        trains = self.subcommand in (None, "fit")
        looks = self.resolved["trainer"]["fast_dev_run"]
        if trains and not looks:
            try:
                rank_zero_only(self._mark)(checkpoint)
            except ValueError as error:
                raise SystemExit(f"dctc: {error}") from error

    def _mark(self, checkpoint: str | None) -> None:
        """Mark the run's folder with its key, and with what it goes on from, if with anything."""
        key = run_key(self.resolved)
        if checkpoint and self._is_own(checkpoint):
            go_on(self.folder, key)
        elif checkpoint:
            claim(self.folder, f"{key}{GONE_ON}{_digest(checkpoint)}")
        else:
            claim(self.folder, key)

    def _check_checkpoint(self, checkpoint: str | None) -> None:
        """Refuse what is no file, in whose place Lightning may take random weights."""
        if self.subcommand in SCORING and not checkpoint:
            raise SystemExit(
                f"dctc: {self.subcommand} needs --ckpt_path; without one it would score random "
                f"weights under the name of the run"
            )
        if checkpoint and not self._file(checkpoint).is_file():
            raise SystemExit(
                f"dctc: --ckpt_path {checkpoint}: no such file; {self.subcommand} takes the file "
                f"of a checkpoint, such as {self.folder / 'checkpoints' / FINAL}"
            )

    def _file(self, checkpoint: str) -> Path:
        last = checkpoint == LAST and self.subcommand == "fit"
        return self.folder / "checkpoints" / "last.ckpt" if last else Path(checkpoint)

    def _is_own(self, checkpoint: str) -> bool:
        """Say whether a checkpoint to go on from is one that this run has written."""
        return self._file(checkpoint).resolve().parent == (self.folder / "checkpoints").resolve()

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer with the callbacks and loggers of every run."""
        options = self._get(self.config_init, "trainer", default={})
        checkpoints = self.folder / "checkpoints"
        self.results = self._results_writer()
        extra: list[pl.Callback] = [
            ModelCheckpoint(
                dirpath=checkpoints,
                filename="last",
                enable_version_counter=False,
                every_n_train_steps=CHECKPOINT_EVERY,
                save_on_train_epoch_end=False,
            ),
            FinalCheckpoint(checkpoints / FINAL),
            ReadingsTable(),
            PredictionWriter(self.folder / "predictions.tsv"),
            self.results,
        ]
        if options.get("enable_progress_bar") is not False:
            extra.append(_ProgressBar(leave=True))
        kwargs["default_root_dir"] = str(self.folder)
        if _needs_cpu(options.get("accelerator")):
            kwargs["accelerator"] = "cpu"
        if options.get("logger") in (None, True):
            # fast_dev_run is a look: it logs nothing
            kwargs["logger"] = [] if options.get("fast_dev_run") else self._loggers()
        return self._instantiate_trainer({**options, **kwargs}, extra)

    def _results_writer(self) -> ResultsWriter:
        config = self.resolved
        return ResultsWriter(
            runs_folder(),
            run=run_key(config) + self._other_weights(),
            arm=config["arm"] or arm_of(config),
            seed=config["seed_everything"],
            protocol=config["model"]["protocol"],
            readings=self.folder / "readings",
        )

    def _other_weights(self) -> str:
        """Return what sets apart the results of weights that are not the end of this run."""
        checkpoint = self.resolved.get("ckpt_path")
        final = self.folder / "checkpoints" / FINAL
        if self.subcommand not in SCORING or not checkpoint:
            return ""
        whole = GONE_ON not in marked(self.folder)
        if final.is_file() and Path(checkpoint).samefile(final) and whole:
            return ""
        return f"{OTHER_WEIGHTS}{_digest(checkpoint)}"

    def _loggers(self) -> list[Logger]:
        name, log = self.resolved["name"], self.resolved["log"]
        # not beside those of training: Lightning counts their steps from 0 again
        part = self.subcommand if self.subcommand in SCORING else ""
        rank_zero_only(set_metrics_aside)(self.folder / part)
        parent = self.folder.parent
        loggers: list[Logger] = [CSVLogger(parent, name=self.folder.name, version=part)]
        if log != "off":
            os.environ.setdefault("WANDB_SILENT", "true" if log == "offline" else "false")
            wandb = WandbLogger(
                name=name,
                project=WANDB_PROJECT,
                save_dir=str(self.folder),
                offline=log == "offline",
                group=name.split("/")[0],
            )
            loggers.append(wandb)
        return loggers


def _needs_cpu(accelerator: Any) -> bool:
    """Say whether Lightning would choose Apple's GPU, which has no float64.

    Raises:
        SystemExit: If it was told to.
    """
    why = "the losses compute in float64, which MPS does not have"
    if not MPSAccelerator.is_available():
        return False
    if accelerator in ("mps", "gpu"):
        raise SystemExit(f"dctc: trainer.accelerator {accelerator}: {why}; take cpu")
    taken = accelerator in (None, "auto")
    if taken:
        rank_zero_only(print)(f"dctc: takes the CPU, as {why}")
    return taken


def _digest(file: str) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8]


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


class _ProgressBar(RichProgressBar):
    """Names the epoch; Lightning's says "Epoch 0/-2" where the length is given in steps."""

    def _get_train_description(self, current_epoch: int) -> str:
        return f"Training, epoch {current_epoch + 1}"

    def get_metrics(self, trainer: Any, pl_module: Any) -> dict[str, Any]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)  # says nothing here
        return {name.removeprefix("train/"): value for name, value in metrics.items()}


class _SaveConfig(SaveConfigCallback):
    """Saves the resolved configuration beside the run, and hands it to W&B."""

    def __init__(self, parser: Any, config: Any, **options: Any) -> None:
        super().__init__(parser, config, **{**options, "overwrite": True})

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                logger.log_hyperparams(self.config.clone().as_dict())


def share_cores(num_workers: int) -> None:
    """Leave a core to each loading worker where the net runs on the CPU too.

    Threads that wait for each other on a core taken by a worker slow small batches down many times
    over. OMP_NUM_THREADS, if set, is obeyed instead.
    """
    if not torch.cuda.is_available() and "OMP_NUM_THREADS" not in os.environ:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        torch.set_num_threads(max(1, (cores or 1) - num_workers))


@contextmanager
def _without_wandb() -> Iterator[None]:
    """Make ``import wandb`` fail meanwhile; timm imports it wherever it is installed."""
    if "wandb" in sys.modules:
        yield
        return
    sys.modules["wandb"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["wandb"]


def num_classes(charset: str) -> int:
    """Return the classes that a charset needs: its characters and the blank."""
    return len(Charset.load(charset)) + 1


def arm_of(config: dict[str, Any]) -> str:
    """Name what a configuration trains with: ``ctc``, ``dctc``, or the class of its loss."""
    for callback in config["trainer"].get("callbacks") or []:
        if callback["class_path"].endswith(".DCTCCallback"):
            return "dctc" if callback["init_args"]["distill_weight"] else "ctc"
    return str(config["model"]["loss"]["class_path"]).rsplit(".", 1)[-1]


def set_metrics_aside(folder: Path) -> None:
    """Keep the metrics of an earlier part of the run: ``metrics.csv`` becomes ``metrics.1.csv``.

    Lightning's CSVLogger would delete them.
    """
    metrics = folder / "metrics.csv"
    if metrics.exists():
        number = len(list(folder.glob("metrics.*.csv"))) + 1
        metrics.rename(folder / f"metrics.{number}.csv")


def main(args: list[str] | None = None) -> None:
    """Run one subcommand.

    Args:
        args: Command line without the program's name; None takes that of the process.
    """
    quiet_lightning()
    try:
        RecognizerCLI(None if args == sys.argv[1:] else args)
    except MisconfigurationException as error:  # Lightning's word for bad input
        raise ValueError(str(error)) from error
    end_process_group()


def end_process_group() -> None:
    """End the group of processes, if there is one, before the interpreter exits.

    Lightning does so for GPUs alone. The threads of gloo, the group's backend on CPUs, can abort an
    interpreter that exits beside them (pytorch issue 190489).
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


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
    "Consider setting `persistent_workers=True`",  # they are forked a few times a run
)
