"""Folder of a run: its lock, its key, and its checkpoints, saved durably and on SIGTERM."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import pickle
import shutil
import signal
import subprocess
import threading
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins.environments import SLURMEnvironment
from pytorch_lightning.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities import rank_zero_only

from dctc.files import locked, remove_partials, write_whole

MARK = "run_key"  # file that holds the key of the run
UNKNOWN = "unknown"  # key of a folder without that file
GONE_ON = "+"  # between the keys of a configuration and of the run that it continued
FINAL = "final.ckpt"  # checkpoint of a finished training
BEST = "best.ckpt"  # weights of its best validation
LAST = "last"  # value of fit's --ckpt_path: the last checkpoint of the run itself
LAST_FILE, PREVIOUS = "last.ckpt", "previous.ckpt"  # the last checkpoint, and the one before
CHECKPOINT_EVERY = 100  # optimizer steps; a killed run loses at most as many


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder; of several processes of one trainer, rank 0 holds it.

    Raises:
        Busy: If another process holds it.
    """
    if getattr(rank_zero_only, "rank", 0):
        yield
        return
    lock = folder.with_name(f".{folder.name}.lock")
    with locked(lock, wait=False, busy=f"{folder}: another process holds the lock of this run"):
        yield


def claim(folder: Path, key: str) -> None:
    """Create a run's folder and write its key; a folder of another run is renamed first.

    The folder of this run comes back if it was renamed before.

    Raises:
        ValueError: If other runs lie below the folder.
    """
    if folder.exists():
        found = marked(folder)
        if found != key and next(folder.glob(f"*/**/{MARK}"), None):
            raise ValueError(f"{folder} holds runs; take another --name, such as one below it")
        if found != key:
            aside = _free_name(folder.with_name(f"{folder.name}.{found}"))
            folder.rename(aside)
            print(f"{folder} held a run of another configuration; that is now {aside}")
    before = folder.with_name(f"{folder.name}.{key}")
    if not folder.exists() and marked(before) == key:
        before.rename(folder)
        print(f"{before} holds the run of this configuration; that is {folder} again")
    folder.mkdir(parents=True, exist_ok=True)
    _mark(folder, key)


def go_on(folder: Path, key: str) -> None:
    """Write the key of a run that continues from its own checkpoint.

    If the configuration differs from that of the checkpoint, the folder gets both keys, so that
    its result counts for neither.
    """
    found = marked(folder)
    if found != key and not found.startswith(key + GONE_ON):
        _mark(folder, f"{key}{GONE_ON}{found}")


def _mark(folder: Path, key: str) -> None:
    remove_partials(folder / "checkpoints")
    if marked(folder) != key:
        write_whole(folder / MARK, f"{key}\n".encode())


def marked(folder: Path) -> str:
    """Return the key in a run's folder, or :data:`UNKNOWN`."""
    mark = folder / MARK
    return mark.read_text().strip() if mark.exists() else UNKNOWN


def _free_name(path: Path) -> Path:
    numbers = itertools.count(2)
    free = path
    while free.exists():
        free = path.with_name(f"{path.name}.{next(numbers)}")
    return free


def digest(file: str) -> str:
    """Return a short hash of a file's content."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:8]


def weights_file(given: str) -> Path:
    """Return the checkpoint of a run's folder at its end, or a checkpoint itself.

    Raises:
        FileNotFoundError: If there is none.
    """
    file = Path(given) / "checkpoints" / FINAL if Path(given).is_dir() else Path(given)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such checkpoint; give the folder of a finished run")
    return file


def resume_point(folder: Path) -> Path | None:
    """Return the checkpoint from which a run goes on: the last whole one; None if there is none.

    Each one that is damaged or missing is named in a line.
    """
    last, previous = (folder / "checkpoints" / name for name in (LAST_FILE, PREVIOUS))
    if not last.exists() and not previous.exists():
        return None
    return _unless_damaged(last, f"the run goes on from {PREVIOUS}") or _unless_damaged(
        previous, "the run goes on from the start"
    )


def final_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint of a finished run; None if there is none, or a damaged one.

    That is named in a line.
    """
    final = folder / "checkpoints" / FINAL
    return _unless_damaged(final, "the run is not finished") if final.exists() else None


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a run that begins anew.

    Raises:
        OSError: If one cannot be removed; the run would go on from it the next time.
    """
    for checkpoint in [*(folder / "checkpoints").glob("*.ckpt")]:
        if checkpoint.is_dir() and not checkpoint.is_symlink():  # of a strategy that shards nets
            shutil.rmtree(checkpoint)
        else:
            checkpoint.unlink()


def _unless_damaged(checkpoint: Path, effect: str) -> Path | None:
    if is_whole(checkpoint):
        return checkpoint
    state = "cut off or damaged" if checkpoint.exists() else "missing"
    rank_zero_only(print)(f"{checkpoint}: {state}; {effect}")
    return None


def is_whole(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is all there: torch writes ZIP files, with checksums."""
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError):
        return False


def read_checkpoint(file: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """Load a checkpoint of a run; nothing in it is executed.

    Raises:
        ValueError: If it is none, or damaged.
    """
    try:
        stored: dict[str, Any] = torch.load(file, map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise ValueError(f"{file}: no checkpoint that can be loaded safely") from error
    if not isinstance(stored, dict) or "state_dict" not in stored:
        raise ValueError(f"{file}: no checkpoint of a run; it holds no state_dict")
    return stored


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
        file.parent.mkdir(parents=True, exist_ok=True)
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

    A step that a validation follows is saved after it, so that no validation is lost. SIGTERM ends
    a training after its step, which is saved unless a validation follows, and anything else at
    once; the exit status is 143. In a job of SLURM that Lightning would requeue, SIGUSR1 does the
    same and requeues the job: Lightning saves in the middle of a step, and then skips a batch.

    Args:
        folder: Folder of the checkpoints.
        every: Optimizer steps between two.
    """

    def __init__(self, folder: Path, every: int = CHECKPOINT_EVERY) -> None:
        self.folder, self.every = folder, every
        self._step, self._is_due = 0, False
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

    on_validation_start = on_test_start = on_predict_start = _listen  # type: ignore[assignment]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Heed signals from now on."""
        self._step = trainer.global_step
        self._listen(trainer)

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Save every so many steps, and on a signal."""
        if trainer.global_step == self._step or trainer.fast_dev_run:
            return  # gradients accumulate
        self._step = trainer.global_step
        self._ending = self._signal
        if trainer.world_size > 1:
            known = torch.tensor(self._signal, device=trainer.strategy.root_device)
            self._ending = int(trainer.strategy.reduce(known, reduce_op="max"))
        if not self._ending and self._step % self.every:
            return
        loop = trainer.fit_loop
        self._is_due = loop.epoch_loop._should_check_val_fx(loop._data_fetcher)
        if self._ending and not self._is_due:  # Lightning logs a step after this hook
            trainer._logger_connector.on_batch_end()
            trainer._logger_connector.update_train_step_metrics()
        if not self._is_due:
            self._save(trainer)
        if self._ending:
            self._end(trainer, self._ending)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the step before the validation, if it is time."""
        if self._is_due:
            self._is_due = False
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        for logger in trainer.loggers:  # a run goes on from here, without what it logged so far
            logger.save()
        trainer.save_checkpoint(self.folder / LAST_FILE)

    def _end(self, trainer: pl.Trainer, number: int) -> None:
        name = signal.Signals(number).name
        if trainer.is_global_zero:
            kept = "; the last checkpoint is kept" if trainer.state.fn == "fit" else ""
            print(f"{self.folder.parent}: ended by {name}{kept}", flush=True)
            if name == "SIGUSR1":
                _requeue()
        # Lightning kills the first process if another one ends otherwise
        raise SystemExit(128 + number if trainer.is_global_zero else 0)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End as on a signal where data workers have ended before this process heeded it."""
        if self._signal and not isinstance(exception, SystemExit):
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
    if status := subprocess.run(["scontrol", "requeue", job], check=False).returncode:
        print(f"dctc: `scontrol requeue {job}` failed with status {status}; submit the job again")
