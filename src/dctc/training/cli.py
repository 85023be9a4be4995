"""``dctc fit | validate | test | predict``: a LightningCLI around RecognizerModule.

What every run gets, whatever its configuration: a folder ``<runs>/<name>`` with the resolved
configuration, ``metrics.csv``, checkpoints and, unless logging is off, the W&B files; a record in
the registry ``<runs>/results.jsonl`` for each tested set. The configuration and the metrics of
another subcommand than fit lie in a folder below, such as ``<runs>/<name>/test``. ``<runs>`` is the
environment variable ``DCTC_RUNS``, or ``runs``.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from dctc.files import Busy
from dctc.precision import compute_in_float32
from dctc.results.registry import OTHER_WEIGHTS, runs_folder
from dctc.text import Charset
from dctc.training.checkpoints import CHECKPOINT_EVERY, FINAL, LAST, FinalCheckpoint, digest
from dctc.training.folder import GONE_ON, alone, claim, go_on, marked
from dctc.training.logs import WANDB_PROJECT, LogMode, SaveConfig, set_metrics_aside, without_wandb
from dctc.training.machine import (
    SyncBatchNorm,
    end_process_group,
    needs_cpu,
    share_cores,
)
from dctc.training.module import RecognizerModule
from dctc.training.readings import PredictionWriter, ReadingsTable
from dctc.training.results import ResultsWriter
from dctc.training.run_key import run_key
from dctc.training.screen import ProgressBar, quiet_lightning

SCORING = ("validate", "test", "predict")  # subcommands that train nothing


class RecognizerCLI(LightningCLI):
    """Builds trainer, module and data from layered YAML; adds folder, logging and registry."""

    def __init__(self, args: list[str] | None = None, run: bool = True) -> None:
        words = sys.argv[1:] if args is None else args
        self._held = ExitStack()  # the lock of the run's folder
        log_off = "--log=off" in words or ("--log", "off") in pairwise(words)
        with without_wandb() if log_off else nullcontext():
            super().__init__(
                RecognizerModule,
                pl.LightningDataModule,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                save_config_callback=SaveConfig,
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

    def _set_seed(self) -> None:
        """Seed by a number; Lightning takes true and false too, by which no run can be repeated."""
        if isinstance(self._get(self.config, "seed_everything"), bool):
            raise SystemExit("dctc: seed_everything: a number is expected")
        super()._set_seed()

    def before_instantiate_classes(self) -> None:
        """Share out the cores, and check what Lightning would only find out later."""
        workers = self.resolved["data"].get("init_args", {}).get("num_workers") or 0
        share_cores(workers, self.resolved["trainer"]["accelerator"])
        compute_in_float32()
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
            except (Busy, ValueError) as error:
                raise SystemExit(f"dctc: {error}") from error

    def _run_subcommand(self, subcommand: str) -> None:
        with self._held:
            super()._run_subcommand(subcommand)

    def _mark(self, checkpoint: str | None) -> None:
        """Mark the run's folder with its key, and with what it goes on from, if with anything."""
        if self.subcommand == "fit":  # what executes runs holds it itself, and longer
            self._held.enter_context(alone(self.folder))
        key = run_key(self.resolved)
        if checkpoint and self._is_own(checkpoint):
            go_on(self.folder, key)
        elif checkpoint:
            claim(self.folder, f"{key}{GONE_ON}{digest(checkpoint)}")
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
            extra.append(ProgressBar(leave=True))
        kwargs["default_root_dir"] = str(self.folder)
        if needs_cpu(options.get("accelerator")):
            kwargs["accelerator"] = "cpu"
        if options.get("sync_batchnorm"):
            kwargs["sync_batchnorm"] = False  # Lightning's own
            given = options.get("plugins") or []
            kwargs["plugins"] = [*(given if isinstance(given, list) else [given]), SyncBatchNorm()]
        if options.get("logger") in (None, True):
            # fast_dev_run is a look: it logs nothing
            kwargs["logger"] = [] if options.get("fast_dev_run") else self._loggers()
        return self._instantiate_trainer({**options, **kwargs}, extra)

    def _results_writer(self) -> ResultsWriter:
        config = self.resolved
        run, readings = run_key(config), "readings"
        checkpoint = config.get("ckpt_path")
        if self.subcommand in SCORING and checkpoint:
            if self._is_end(checkpoint):
                run = marked(self.folder)
            else:
                other = f"{OTHER_WEIGHTS}{digest(checkpoint)}"
                run, readings = run + other, readings + other
                if self.subcommand == "test":
                    rank_zero_only(print)(
                        f"dctc: {checkpoint} is not the end of a training of this configuration in "
                        f"{self.folder}; tables leave its results out"
                    )
        return ResultsWriter(
            runs_folder(),
            run=run,
            arm=config["arm"] or arm_of(config),
            seed=config["seed_everything"],
            protocol=config["model"]["protocol"],
            readings=self.folder / readings,
        )

    def _is_end(self, checkpoint: str) -> bool:
        """Say whether these are the weights that this configuration has trained in this folder.

        Whatever benchmarks they are tested on.
        """
        final, saved = self.folder / "checkpoints" / FINAL, self.folder / "config.yaml"
        if not (final.is_file() and Path(checkpoint).samefile(final)):
            return False
        data = dict(self.resolved["data"])
        if "test" in data.get("init_args", {}) and saved.is_file():
            trained = yaml.safe_load(saved.read_text(encoding="utf-8"))["data"]
            chosen = trained.get("init_args", {}).get("test")
            data["init_args"] = {**data["init_args"], "test": chosen}
        return run_key({**self.resolved, "data": data}) == marked(self.folder)

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


def num_classes(charset: str) -> int:
    """Return the classes that a charset needs: its characters and the blank."""
    return len(Charset.load(charset)) + 1


def arm_of(config: dict[str, Any]) -> str:
    """Name what a configuration trains with: ``ctc``, ``dctc``, or the class of its loss."""
    for callback in config["trainer"].get("callbacks") or []:
        if callback["class_path"].endswith(".DCTCCallback"):
            return "dctc" if callback["init_args"]["distill_weight"] else "ctc"
    return str(config["model"]["loss"]["class_path"]).rsplit(".", 1)[-1]


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
