"""The smallest nets and data that training can run on; configurations name them as ``tiny.X``."""

import io
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import yaml
from PIL import Image
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dctc.data.records.batch import Batch, Corrupt, Sample, collate
from dctc.losses import CTCLoss
from dctc.reading.reader import Reader
from dctc.results.registry import Record, Registry
from dctc.runs.folder import alone
from dctc.runs.net import Loaded
from dctc.text import CTCTokenizer
from dctc.training.module import RecognizerModule
from dctc.training.schedule import WarmupCosine

HEIGHT, WIDTH = 8, 64  # 16 frames


class TinyNet(nn.Module):
    """One linear map of overlapping patches: learns, and couples no sample with another."""

    def __init__(self, num_classes: int, height: int = HEIGHT, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.patches = nn.Conv2d(3, 16, (height, 8), (height, 4), padding=(0, 2))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(16, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.patches(images).squeeze(2).permute(2, 0, 1)  # (t, n, 16)
        return self.head(self.dropout(torch.tanh(features)))

    def frames(self, width: Any) -> Any:
        return width // 4


class FeatureNet(TinyNet):
    """TinyNet with the features of its frames apart from the head."""

    def features(self, images: Tensor) -> Tensor:
        return torch.tanh(self.patches(images).squeeze(2).permute(2, 0, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class PixelNet(nn.Module):
    """Reads the classes that :func:`write_text` put into an image."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, images: Tensor) -> Tensor:
        classes = ((images[:, 0, 0, ::4] + 1) * 127.5).round().long()  # (n, t)
        return 10.0 * nn.functional.one_hot(classes.T, self.num_classes) + self.bias

    def frames(self, width: Any) -> Any:
        return width // 4


def write_text(text: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Return an image ``(h, w, 3)`` that PixelNet reads as ``text``."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    tokenizer = CTCTokenizer("36")
    for i, character in enumerate(text):
        image[:, 8 * i : 8 * i + 4] = tokenizer.encode([character])[0].item()
    return image


def encode_text(text: str) -> bytes:
    """Return the image of :func:`write_text` as a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(write_text(text)).save(buffer, "PNG")
    return buffer.getvalue()


def noise(label: str, seed: int) -> Sample:
    """Return a labelled image of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Sample(pixels, label, f"noise/{seed}")


def noise_batch(labels: Sequence[str], seed: int = 0) -> Batch:
    """Return a batch of noise."""
    return collate([noise(label, seed + i) for i, label in enumerate(labels)])


def text_batch(pairs: Sequence[tuple[str, str]], name: str = "set") -> Batch:
    """Return a batch of (label, what PixelNet reads); keys count from 1."""
    return collate(
        [Sample(write_text(t), label, f"{name}/{i}") for i, (label, t) in enumerate(pairs, 1)]
    )


class FixedData(pl.LightningDataModule):
    """Batches made beforehand."""

    def __init__(
        self,
        train: Sequence[Batch] = (),
        val: Mapping[str, Sequence[Batch]] | None = None,
        test: Mapping[str, Sequence[Batch]] | None = None,
        drops: Mapping[str, Mapping[str, int]] | None = None,
    ) -> None:
        super().__init__()
        self.train, self.val, self.test = list(train), dict(val or {}), dict(test or {})
        self.val_names, self.test_names = list(self.val), list(self.test)
        self.dropped = dict(drops or {})

    def labels(self) -> dict[str, dict[str, Any]]:
        return {name: {"left_out": dict(drops)} for name, drops in self.dropped.items()}

    def train_dataloader(self) -> DataLoader:
        return _loader(self.train)

    def val_dataloader(self) -> list[DataLoader]:
        return [_loader(batches) for batches in self.val.values()]

    def test_dataloader(self) -> list[DataLoader]:
        return [_loader(batches) for batches in self.test.values()]


class NoiseData(FixedData):
    """Images of noise, as a data module without any argument."""

    def __init__(self) -> None:
        batches = {"rendered": [noise_batch(["ab", "c", "de", "f", "gh"])]}
        super().__init__(batches["rendered"] * 4, batches, batches)


def _loader(batches: Sequence[Batch]) -> DataLoader:
    return DataLoader(list(batches), batch_size=None, collate_fn=lambda batch: batch)


def with_corrupt(batch: Batch, *keys: str) -> Batch:
    """Return the batch with unreadable records beside its samples."""
    return batch._replace(corrupt=[Corrupt(key, "image missing") for key in keys])


def make_module(net: type[nn.Module] = TinyNet, seed: int = 0, **options: Any) -> RecognizerModule:
    """Return a module whose weights depend on the seed only."""
    torch.manual_seed(seed)
    defaults: dict[str, Any] = {
        "loss": CTCLoss(),
        "tokenizer": CTCTokenizer("36"),
        "optimizer": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        "schedule": WarmupCosine(0.0),
    }
    return RecognizerModule(net(37), **{**defaults, **options})


def pixel_reader() -> Reader:
    """Return a reader of PixelNet."""
    loaded = Loaded(PixelNet(37), CTCTokenizer("36"), "english36", (3, HEIGHT, WIDTH), False)  # type: ignore[arg-type]
    return Reader(loaded, "cpu")


def make_trainer(folder: Path, **options: Any) -> pl.Trainer:
    """Return a silent trainer on the CPU."""
    defaults: dict[str, Any] = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        "default_root_dir": str(folder),
    }
    return pl.Trainer(**{**defaults, **options})


def fit(
    folder: Path,
    module: RecognizerModule,
    batches: Sequence[Batch],
    resume: Path | None = None,
    **options: Any,
) -> pl.Trainer:
    """Train on an epoch of batches, or as long as the trainer's options say."""
    length = {} if "max_steps" in options else {"max_epochs": 1}
    trainer = make_trainer(folder, **{**length, **options})
    trainer.fit(module, datamodule=FixedData(batches), ckpt_path=resume, weights_only=True)
    return trainer


def weights(module: nn.Module) -> dict[str, Tensor]:
    """Return a copy of all parameters and buffers."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def same_weights(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    """Tell whether two modules' weights are equal bit by bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def of_class(path: str, **init_args: Any) -> dict[str, Any]:
    """Return the configuration of an object."""
    return {"class_path": path, "init_args": init_args}


def config(data: str = "rendered", **init_args: Any) -> dict[str, Any]:
    """Return a complete configuration of a run that takes a moment.

    Args:
        data: ``rendered``, or ``english`` for the LMDBs below DCTC_DATA.
        **init_args: Further arguments of the DataModule.
    """
    defaults: dict[str, Any] = {"batch_size": 4, "width": WIDTH, "num_workers": 0}
    if data == "rendered":
        height = 32  # too little for smaller fonts
        defaults |= {"epoch_size": 24, "val_size": 5, "test_size": 5, "max_length": 4}
    else:
        height = HEIGHT
        defaults |= {"height": height, "test": ["CUTE80"], "allow_size_mismatch": True}
    modules = {
        "rendered": "dctc.data.rendered.RenderedDataModule",
        "english": "dctc.data.english.EnglishDataModule",
    }
    return {
        "model": {
            "net": of_class("tiny.TinyNet", height=height),
            "loss": of_class("dctc.losses.CTCLoss"),
            "tokenizer": of_class("dctc.text.CTCTokenizer", charset="36"),
            "optimizer": of_class("torch.optim.Adam", lr=0.01),
        },
        "data": of_class(modules[data], **{**defaults, **init_args}),
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 2,
            "num_sanity_val_steps": 0,
            "enable_progress_bar": False,
            "log_every_n_steps": 1,
        },
    }


def write_config(file: Path, config: Mapping[str, Any]) -> str:
    """Write a configuration and return the option that names it."""
    file.write_text(yaml.safe_dump(dict(config)))
    return f"--config={file}"


def final(run: Path) -> Path:
    """Return the checkpoint of a finished run."""
    return run / "checkpoints" / "final.ckpt"


def save_run(folder: Path, module: RecognizerModule, settings: Mapping[str, Any]) -> Path:
    """Write the folder of a run as training leaves it: its checkpoint and configuration."""
    trainer = make_trainer(folder)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(final(folder), weights_only=True)
    write_config(folder / "config.yaml", settings)
    return folder


def stored(run: Path) -> dict[str, Any]:
    """Return the content of the checkpoint of a finished run."""
    checkpoint: dict[str, Any] = torch.load(final(run), weights_only=True)
    return checkpoint


def add_result(
    registry: Registry, arm: str, seed: int, hits: Any, name: str = "set", **changes: Any
) -> Record:
    """Append the result of a made-up run, and return it.

    Args:
        registry: Where to.
        arm: Name of the arm.
        seed: Seed.
        hits: Hit or miss of each word; NED is half way from the accuracy to 1.
        name: Name of the set.
        **changes: Other fields of the record.
    """
    n, correct = len(hits), int(np.sum(hits))
    counts = {"n": n, "correct": correct, "edits": n - correct, "characters": 5 * n}
    fields = {
        **{"run": f"{arm}{seed}", "similarity": (n + correct) / 2, "drops": {}, **counts},
        **{"protocol": "english36", "samples": f"{n} of {name}", "wall_s": 3600.0},
        **{"hits": registry.write_hits(hits), "about": {"steps": 10}, **changes},
    }
    record = Record(arm=arm, seed=seed, set=name, **fields)
    registry.append(record)
    return record


def in_child(function: Callable[[], Any]) -> str:
    """Run a function in a forked process; return what it returned, or its OSError, as text."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writer, str(function()).encode())
        except OSError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        return stream.read()


class Kill(pl.Callback):
    """Sends this process a signal before a step, by default that of ``kill -9``.

    Args:
        step: The step.
        number: Of the signal.
        validation: Send it in the validation after that many steps instead.
    """

    def __init__(self, step: int, number: int = 9, validation: bool = False) -> None:
        self.step, self.number, self.validation = step, number, validation

    def _kill(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step and trainer.validating == self.validation:
            os.kill(os.getpid(), self.number)

    on_train_batch_start = on_validation_batch_start = _kill


class Fail(pl.Callback):
    """Raises an error before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError(f"before step {self.step}")


class Gradients(pl.Callback):
    """Keeps the gradients of the last step by name."""

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.found = {name: p.grad for name, p in pl_module.named_parameters()}


class SaysGpu(pl.Callback):
    """Logs which GPU its process sees."""

    def on_fit_start(self, *_: Any) -> None:
        rank_zero_info(f"sees GPU {os.environ['CUDA_VISIBLE_DEVICES']}")


@contextmanager
def held_by_another(folder: Path) -> Iterator[None]:
    """Let another process hold the lock of a run's folder."""
    fork = multiprocessing.get_context("fork")
    held, done = fork.Event(), fork.Event()

    def hold() -> None:
        with alone(folder):
            held.set()
            done.wait()

    holder = fork.Process(target=hold)
    holder.start()
    try:
        assert held.wait(60)
        yield
    finally:
        done.set()
        holder.join()


def run_python(*options: str, timeout: float = 600, **environment: str) -> CompletedProcess[str]:
    """Run Python in a process of its own, with this environment but without W&B's."""
    here = Path(__file__).parent
    kept = {k: v for k, v in os.environ.items() if k not in ("WANDB_MODE", "WANDB_API_KEY")}
    kept["PYTHONPATH"] = os.pathsep.join([str(here.parent / "src"), str(here.parent), str(here)])
    return run(
        [sys.executable, *options],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
