"""``dctc fit | validate | test``: a LightningCLI around RecognizerModule.

Every run has a folder ``<runs>/<name>`` with ``config.yaml`` (the resolved configuration),
``metrics.csv``, checkpoints and, unless logging is off, the W&B files; and a record in the registry
``<runs>/results.jsonl`` for each tested set. Configuration and metrics of the other subcommands lie
in a folder below, such as ``<runs>/<name>/test``. ``<runs>`` is the environment variable
``DCTC_RUNS``, or ``runs``.
"""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.io import CheckpointIO
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from dctc.files import Busy
from dctc.results.registry import runs_folder
from dctc.results.upload import check_key
from dctc.runs.configuration import find_own_modules, image_options
from dctc.runs.folder import (
    GONE_ON,
    alone,
    claim,
    digest,
    final_checkpoint,
    marked,
    remove_checkpoints,
    resume_point,
)
from dctc.text import Charset, usual_protocol
from dctc.training.checkpoints import (
    CHECKPOINT_EVERY,
    BestCheckpoint,
    DurableCheckpoints,
    RunCheckpoints,
)
from dctc.training.checks import SCORING, check_checkpoint, check_config, try_out
from dctc.training.logs import (
    ProgressBar,
    ReadingsTable,
    SaveConfig,
    loggers,
    quiet_lightning,
)
from dctc.training.machine import (
    compute_in_float32,
    end_process_group,
    keep_freed_memory,
    needs_cpu,
    on_rank_zero,
    share_cores,
    without_wandb,
)
from dctc.training.module import RecognizerModule
from dctc.training.objective import head_note
from dctc.training.parser import RunParser
from dctc.training.results_writer import writer_of_run


class RecognizerCLI(LightningCLI):
    """Builds trainer, module and data from layered YAML; adds run folder, logging and registry.

    Args:
        args: Command line without the program's name.
        run: Whether the first argument is a subcommand, which is run; otherwise the objects of a
            training are built.
    """

    def __init__(self, args: list[str], run: bool = True) -> None:
        quiet_lightning()
        find_own_modules()
        self._words = args
        log_off = "--log=off" in self._words or ("--log", "off") in pairwise(self._words)
        self._restart = False
        # the stack holds the lock of the run's folder
        with ExitStack() as self._held, without_wandb() if log_off else nullcontext():
            super().__init__(
                RecognizerModule,
                pl.LightningDataModule,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
                save_config_callback=SaveConfig,
                parser_class=RunParser,
                parser_kwargs={"prog": "dctc"} if run else {"exit_on_error": False},
                trainer_defaults={"use_distributed_sampler": False, "enable_model_summary": False},
                args=args,
                run=run,
            )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Return the chosen subcommand alone, as building the options of one takes a while."""
        known = super().subcommands()
        del known["predict"]  # dctc.reading.predict reads
        chosen = {name: known[name] for name in self._words[:1] if name in known}
        return chosen or known

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the seed: a number, as with Lightning's true and false no run can be repeated."""
        parser.add_argument(
            "--seed_everything", type=int, default=0, help="Seed of weights, data and dropout."
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of a run that are no part of trainer, model or data."""
        assert isinstance(parser, RunParser)
        parser.add_run_options(restart=self._words[:1] == ["fit"])

    def _parse_ckpt_path(self) -> None:
        """Take no configuration out of a checkpoint."""

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the arguments; write into them what follows from others.

        Without a protocol, that of the charset; without a size of the images, that of net and data.
        """
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand] if "subcommand" in self.config else self.config
        images = config.data.get("init_args")
        for name, value in image_options(config.model.net.as_dict(), config.data.as_dict()).items():
            if images is not None and name in images:
                images[name] = value
        if config.model.protocol is None:
            charset = Charset.load(config.model.tokenizer.init_args.charset)
            config.model.protocol = usual_protocol(charset)
            if "protocol" in config.data.get("init_args", {}):
                config.data.init_args.protocol = config.model.protocol

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The whole configuration of the chosen subcommand, as plain values."""
        text = self.parser.dump(
            self.config, skip_link_targets=False, skip_unset=False, format="yaml"
        )
        whole: dict[str, Any] = yaml.safe_load(text)
        config: dict[str, Any] = whole[self.subcommand] if self.subcommand else whole
        callbacks = config["trainer"]["callbacks"]
        if isinstance(callbacks, dict):  # Lightning takes a single one too
            config["trainer"]["callbacks"] = [callbacks]
        return config

    @property
    def folder(self) -> Path:
        """The folder of this run."""
        return runs_folder() / self.resolved["name"]

    @property
    def _checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def before_instantiate_classes(self) -> None:
        """Check the configuration."""
        config, trainer = self.resolved, self.resolved["trainer"]
        if self.subcommand == "fit":
            # a saved configuration does not begin anew
            self._restart = self.config["fit"].pop("restart")
        check_config(config, self.folder)
        compute_in_float32()
        keep_freed_memory()
        check_checkpoint(config, self.subcommand, self.folder)
        if config.get("ckpt_path") and self._restart:
            raise SystemExit("dctc: --restart begins anew; leave --ckpt_path out")
        if trainer["logger"] in (None, True) and not trainer["fast_dev_run"]:
            check_key(config["log"])

    def instantiate_classes(self) -> None:
        """Build trainer, module and data; then share out the cores."""
        super().instantiate_classes()
        named = self.resolved["data"].get("init_args", {}).get("num_workers")
        workers = getattr(self.datamodule, "num_workers", named)
        share_cores(workers or 0, self.resolved["trainer"]["accelerator"])

    def fit(self, model: pl.LightningModule, **options: Any) -> None:
        """Train as the command line asks; called by LightningCLI."""
        self.train(options["ckpt_path"], options["weights_only"])

    def train(self, checkpoint: str | None = None, weights_only: bool | None = True) -> None:
        """Train the run, go on with it where it was interrupted, or leave it if it is finished.

        The folder is claimed when data, net, optimizer and callbacks are known to be sound.

        Args:
            checkpoint: Of another run, to go on from; the run's own last one, if any, goes before.
            weights_only: See :func:`torch.load`.

        Raises:
            SystemExit: If another process trains the run.
            ValueError: If the data does not fit the configuration.
        """
        note = getattr(self.model.net, "charset_note", "")
        if given := self.resolved["init_from"]:
            from dctc.runs.net import start_from  # timm imports wandb

            note = start_from(self.model, given, self.resolved["init_policy"])
        if note:
            rank_zero_only(print)(note)
        if not self.trainer.fast_dev_run:  # type: ignore[attr-defined]
            key = self.results.run
            if checkpoint:
                key += f"{GONE_ON}{digest(checkpoint)}"
            if on_rank_zero(self.trainer, lambda: self._is_finished(key)):
                return
            try_out(self.trainer, self.model, self.datamodule, self._checkpoints)
            try:
                done, last = on_rank_zero(self.trainer, lambda: self._claim(key))
            except (Busy, ValueError) as error:
                raise SystemExit(f"dctc: {error}") from error
            if done:
                return
            if last is not None:
                checkpoint, weights_only = last, True
        if note := head_note(self.model):
            rank_zero_only(print)(note)
        self.trainer.fit(
            self.model,
            datamodule=self.datamodule,
            ckpt_path=checkpoint,
            weights_only=weights_only,
        )

    def _claim(self, key: str) -> tuple[bool, str | None]:
        """Take the folder; return whether its run is finished, and the checkpoint to go on from."""
        if self.subcommand == "fit":  # the runner of studies holds the lock itself
            self._held.enter_context(alone(self.folder))
        is_there = rank_zero_only(claim)(self.folder, key)
        if self._restart:
            rank_zero_only(remove_checkpoints)(self.folder)
            return False, None
        if self._is_finished(key):  # it was set aside, and is back
            return True, None
        last = resume_point(self.folder)
        if last is None:
            if is_there and not any(self._checkpoints.glob("*.ckpt")):
                print(f"{self.folder}: ended before its first checkpoint, so it begins anew")
            return False, None
        rank_zero_only(print)(f"{self.folder}: going on from its last checkpoint")
        return False, str(last)

    def _is_finished(self, key: str) -> bool:
        done = not self._restart and marked(self.folder) == key and final_checkpoint(self.folder)
        if done and self.subcommand == "fit":
            rank_zero_only(print)(f"{self.folder} is finished; --restart trains it again")
        return bool(done)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the trainer with the callbacks and loggers of every run."""
        config = self.config_init[self.subcommand] if self.subcommand else self.config_init
        options = config["trainer"]
        self.results = writer_of_run(self.resolved, self.folder, self.subcommand)
        callbacks: list[pl.Callback] = [
            *_listed(options.get("callbacks")),
            ReadingsTable(),
            self.results,
            BestCheckpoint(self._checkpoints),
            RunCheckpoints(self._checkpoints, CHECKPOINT_EVERY),
        ]
        if options.get("enable_progress_bar") is not False:
            callbacks.append(ProgressBar(leave=True))
        kwargs |= {"default_root_dir": str(self.folder), "callbacks": callbacks}
        if needs_cpu(options.get("accelerator")):
            kwargs["accelerator"] = "cpu"
        plugins = _listed(options.get("plugins"))
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins = [*plugins, DurableCheckpoints()]
        kwargs["plugins"] = plugins
        if options.get("sync_batchnorm"):  # Lightning's drops the activation in timm's layers
            from timm.layers import convert_sync_batchnorm  # here, as timm imports wandb

            kwargs["sync_batchnorm"] = False
            convert_sync_batchnorm(self.model)
        part = self.subcommand if self.subcommand in SCORING else ""
        self.save_config_kwargs["folder"] = self.folder / part
        if options.get("logger") in (None, True):
            # fast_dev_run is a trial of one batch: it logs nothing
            kwargs["logger"] = (
                []
                if options.get("fast_dev_run")
                else loggers(self.folder, self.resolved["name"], part, self.resolved["log"])
            )
        return super().instantiate_trainer(**kwargs)


def _missing_package(error: BaseException | None) -> ModuleNotFoundError | None:
    """Return the error about a package that an argument needs, which jsonargparse wraps."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    return error


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [] if given is None else [given]


def main(args: list[str]) -> None:
    """Run one subcommand.

    Raises:
        ValueError: If Lightning refuses the configuration, or a package that it names is missing.
    """
    try:
        RecognizerCLI(args)
    except MisconfigurationException as error:
        raise ValueError(" ".join(str(error).split())) from error
    except (ModuleNotFoundError, ValueError) as error:
        if missing := _missing_package(error):
            raise ValueError(str(missing).split("\n")[0]) from error
        raise
    end_process_group()
