"""Save checkpoints of a run: durably, while training, at validations and on signals."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.plugins.io import TorchCheckpointIO

from dctc.files import write_whole
from dctc.runs.folder import BEST, FINAL, LAST_FILE, PREVIOUS, read_checkpoint

CHECKPOINT_EVERY = 100  # optimizer steps; a killed run loses at most as many


class DurableCheckpoints(TorchCheckpointIO):
    """Writes checkpoints beside their place; a kill or a full disk leaves the one before.

    Lightning writes to the folder for temporary files, and copies from there if that lies on
    another disk. Of ``last.ckpt`` the one before is kept, as ``previous.ckpt``.
    """

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint."""
        if "://" in str(path):  # a callback of the user's, with a bucket
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        file, content = Path(path), io.BytesIO()
        torch.save(checkpoint, content)
        keep = file.with_name(PREVIOUS) if file.name == LAST_FILE else None
        write_whole(file, content.getbuffer(), keep)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint, see :func:`read_checkpoint`."""
        if "://" in str(path) or weights_only is False:
            return super().load_checkpoint(path, map_location, weights_only)
        return read_checkpoint(Path(path), map_location or "cpu")


class RunCheckpoints(Checkpoint):
    """Saves ``last.ckpt`` while training and ``final.ckpt`` at its end, and heeds SIGTERM.

    The step before a validation is saved too; a run that goes on from there begins with the
    validation. Not the last step, after which nothing is left to train: what ends in its last
    validation repeats the steps since the save before.

    SIGTERM ends a training after its step, which is saved, and anything else at once; the exit
    status is 143. In a job of SLURM that Lightning would requeue, SIGUSR1 does the same and
    requeues the job: Lightning saves in the middle of a step, and then skips a batch.

    Args:
        folder: Folder of the checkpoints.
        every: Optimizer steps between two.
    """

    def __init__(self, folder: Path, every: int = CHECKPOINT_EVERY) -> None:
        self.folder, self.every = folder, every
        self._step = 0
        self._signal = 0  # number of the signal that this process has received
        self._ending = 0  # number of the signal on which all processes end

    def _listen(self, trainer: pl.Trainer, *_: Any) -> None:
        own = os.getpid()  # data workers inherit the handler

        def note(number: int, _: Any) -> None:
            if os.getpid() != own:
                return
            self._signal = number
            # data workers may have been sent it too; torch would raise an error within the step
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            others_wait = trainer.world_size > 1 and trainer.state.fn == "fit"
            if not trainer.training and not (trainer.validating and others_wait):
                if trainer.strategy.launcher is not None:
                    trainer.strategy.launcher.kill(number)
                self._end(trainer, number)

        if threading.current_thread() is not threading.main_thread():
            return  # Python handles signals in the main one alone
        # Lightning has set its own handlers, and puts the former ones back at the end
        signal.signal(signal.SIGTERM, note)
        if trainer.received_sigterm:
            note(signal.SIGTERM, None)
        if SLURMEnvironment.detect() and callable(signal.getsignal(signal.SIGUSR1)):
            signal.signal(signal.SIGUSR1, note)

    on_test_start = on_predict_start = _listen  # type: ignore[assignment]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Heed signals from now on."""
        self._step = trainer.global_step
        self._listen(trainer)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Save every so many steps, and on a signal, unless a validation follows."""
        if trainer.global_step == self._step or trainer.fast_dev_run:
            return  # gradients accumulate
        self._step = trainer.global_step
        self._ending = self._signal
        if trainer.world_size > 1:
            known = torch.tensor(self._signal, device=trainer.strategy.root_device)
            self._ending = int(trainer.strategy.reduce(known, reduce_op="max"))
        loop = trainer.fit_loop
        validation = loop.epoch_loop.val_loop
        if loop.epoch_loop._should_check_val_fx(loop._data_fetcher):
            validation.setup_data()
            if not validation.skip:
                return
        if self._ending:  # Lightning logs a step after this hook
            trainer._logger_connector.on_batch_end()
            trainer._logger_connector.update_train_step_metrics()
        if self._ending or self._step % self.every == 0:
            self._save(trainer)

    def on_validation_start(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """Save the step before a validation of a training."""
        self._listen(trainer)
        loop = trainer.fit_loop.epoch_loop
        trial = trainer.sanity_checking or trainer.fast_dev_run
        if trial or trainer.state.fn != "fit" or loop._should_accumulate():
            return
        stops = trainer.should_stop and trainer.fit_loop._can_stop_early  # such as after max_time
        if stops or 0 <= trainer.max_steps <= trainer.global_step:
            if self._ending:
                self._end(trainer, self._ending)
            return
        progress = loop.val_loop.batch_progress
        progress.total.reset_on_restart()
        # saved as if in its first batch: Lightning skips a validation that has not begun
        progress.increment_ready()
        progress.increment_started()
        self._save(trainer)
        for count in (progress.total, progress.current):
            count.reset_on_restart()

    def _save(self, trainer: pl.Trainer) -> None:
        for logger in trainer.loggers:  # a run goes on from here, without what it logged so far
            logger.save()
        trainer.save_checkpoint(self.folder / LAST_FILE)
        if self._ending:
            self._end(trainer, self._ending)

    def _end(self, trainer: pl.Trainer, number: int) -> None:
        name = signal.Signals(number).name
        if trainer.is_global_zero:
            has_one = trainer.state.fn == "fit" and (self.folder / LAST_FILE).exists()
            kept = "; the last checkpoint is kept" if has_one else ""
            print(f"{self.folder.parent}: ended by {name}{kept}", flush=True)
            if name == "SIGUSR1":
                _requeue()
        # Lightning kills the first process if another one ends otherwise
        raise SystemExit(128 + number if trainer.is_global_zero else 0)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the processes of this one's GPUs, which would wait for it with the next step.

        Where data workers have ended before this process heeded a signal, end as on the signal.
        """
        if isinstance(exception, SystemExit):
            return
        if trainer.strategy.launcher is not None and not isinstance(exception, KeyboardInterrupt):
            trainer.strategy.launcher.kill(signal.SIGKILL)  # Lightning does at an interrupt alone
            trainer.strategy.launcher.procs.clear()  # else it would kill this one for their ends
        if self._signal:
            self._end(trainer, self._signal)

    def on_fit_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """Save the checkpoint of a finished training, unless it was interrupted."""
        if not trainer.interrupted and not trainer.fast_dev_run:
            trainer.save_checkpoint(self.folder / FINAL)


# Parts of a checkpoint that only a training needs; the last two are Lightning's WeightAveraging's
_BEYOND_WEIGHTS = {
    *("optimizer_states", "lr_schedulers", "callbacks", "loops"),
    *("current_model_state", "averaging_state"),
}


class BestCheckpoint(pl.Callback):
    """Saves ``best.ckpt``: the weights, without optimizer, of the best validation so far.

    The best one has the highest ``val/accuracy``, then the highest ``val/ned``; of equal ones the
    last.

    Args:
        folder: Folder of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.best = [-1.0, -1.0]

    def on_validation_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        """Save the weights if they are the best."""
        metrics = trainer.callback_metrics
        trial = trainer.sanity_checking or trainer.fast_dev_run
        if trial or trainer.state.fn != "fit" or "val/accuracy" not in metrics:
            return
        found = [float(metrics[name]) for name in ("val/accuracy", "val/ned")]
        if found >= self.best:
            self.best = found
            # the whole one, as averages of weights put theirs into it; then the weights alone
            whole = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)
            kept = {name: value for name, value in whole.items() if name not in _BEYOND_WEIGHTS}
            trainer.strategy.save_checkpoint(kept, self.folder / BEST)
            trainer.strategy.barrier()

    def state_dict(self) -> dict[str, Any]:
        """Return the scores of the best validation."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from these, where their weights are here too."""
        if (self.folder / BEST).exists():
            self.best = state["best"]


def _requeue() -> None:
    """Ask SLURM to start this job again."""
    array, task = os.getenv("SLURM_ARRAY_JOB_ID"), os.getenv("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
    try:
        subprocess.run(["scontrol", "requeue", job], check=True)
    except (OSError, subprocess.CalledProcessError) as error:  # a container may not have it
        print(f"dctc: the job is not requeued ({error}); submit it again")
