"""Optimizer steps of the complete configurations of the paper's scale, at one GPU's share."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from experiments.tables.publishing import GPU
from pytorch_lightning.cli import instantiate_class
from rich.console import Console
from torch import nn

from dctc.bench.cost import arm, noise
from dctc.bench.measure import interleaved
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.text.charset import NAMED
from dctc.training.nets import load_net

CONFIGS = Path("experiments/configs/paper")
FILE = "bench/steps.json"  # below the folder of runs
PUBLISHED_FILE = f"bench/steps{GPU}.json"  # below that of published results
# Of trials, which never replace what was measured.
TRIAL_FILE = "bench/steps-trial.json"
# by scale: images at most (None: the share of one GPU), repeats, seconds of a configuration after
# which no repeat begins
SCALES: dict[str, tuple[int | None, int, float]] = {
    "tiny": (2, 1, 1.0),
    "smoke": (None, 5, 10.0),
    "small": (None, 20, 60.0),
}
WARM_UP = 3  # ours: steps before the first that counts, in which kernels are compiled and chosen
TINY = "english_svtr_tiny_dctc"
CHARACTERS = 7934  # alphabet of the Chinese benchmark (FudanVI)
FIRST = 0x4E00  # of the CJK Unified Ideographs


@dataclass(frozen=True)
class StepTime:
    """What a step of a configuration takes.

    Attributes:
        config: Name of the configuration.
        images: In the batch of one GPU.
        image: Channels, height and width.
        precision: The trainer's.
        seconds: Median of an optimizer step.
    """

    config: str
    images: int
    image: tuple[int, int, int]
    precision: str
    seconds: float


def bench_steps(scale: str, configs: Path = CONFIGS) -> Table:
    """Time optimizer steps on images of noise, print a table and write it as JSON.

    Args:
        scale: How much; tiny tries a single configuration with two images, which tells nothing of
            its cost.
        configs: Folder of the configurations.

    Raises:
        FileNotFoundError: If there are no configurations.
        ValueError: If there is no GPU, and more than a trial was asked for.
    """
    files = sorted(configs.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"{configs}: no configurations; run from the repository's root")
    if scale == "tiny":
        files = [file for file in files if file.stem == TINY]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and scale != "tiny":
        raise ValueError("steps: there is no GPU to measure them on; --scale tiny is a trial")
    largest, repeats, limit_s = SCALES.get(scale, SCALES["small"])
    measured, left_out = [], []
    for file in files:
        try:
            measured.append(_measure(file, largest, repeats, limit_s, device))
        except torch.OutOfMemoryError:
            left_out.append(file.stem)
    table = _table(measured, left_out, trial=scale == "tiny")
    table.print(Console())
    _write_json(measured, TRIAL_FILE if scale == "tiny" else FILE)
    return table


def _measure(
    config: Path, largest: int | None, repeats: int, limit_s: float, device: torch.device
) -> StepTime:
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    trainer = settings["trainer"]
    share = settings["data"]["init_args"]["batch_size"] // trainer.get("devices", 1)
    images = share if largest is None else min(share, largest)
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_net(_with_alphabet(settings, Path(folder)))
    module = arm(loaded, instantiate_class((), settings["model"]["loss"]))
    for callback in trainer["callbacks"]:
        instantiate_class((), callback).setup(None, module, "fit")  # DCTC in the place of CTC
    module.to(device)
    precision = str(trainer.get("precision", "32-true"))  # Lightning's default
    optimizer = instantiate_class(module.named_parameters(), settings["model"]["optimizer"])
    batch = noise(images, loaded, device)
    clip, context = trainer.get("gradient_clip_val"), _contexts(device)[precision]

    def step() -> None:
        module.train()
        with context():
            value = module.objective.loss(module, batch, module.objective.outputs(module, batch))
        optimizer.zero_grad()
        value.value.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()

    for _ in range(WARM_UP if repeats > 1 else 0):
        step()
    seconds = interleaved({"step": step}, repeats, device, limit_s)["step"]
    return StepTime(config.stem, images, loaded.image, precision, seconds)


def _with_alphabet(settings: dict[str, Any], folder: Path) -> Path:
    """Return a copy of a configuration whose charset is there.

    As many other characters stand for the alphabet of the Chinese benchmark: they cost the same.
    """
    chosen = settings["model"]["tokenizer"]["init_args"]
    if chosen["charset"] not in NAMED:
        alphabet = folder / "alphabet.txt"
        alphabet.write_text("".join(map(chr, range(FIRST, FIRST + CHARACTERS))), encoding="utf-8")
        chosen["charset"] = str(alphabet)
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return file


def _contexts(device: torch.device) -> dict[str, Callable[[], AbstractContextManager[Any]]]:
    """Return what Lightning runs forward and loss in, by the trainer's precision."""
    return {
        "32-true": nullcontext,
        "bf16-mixed": lambda: torch.autocast(device.type, torch.bfloat16),
    }


def _table(measured: list[StepTime], left_out: list[str], trial: bool) -> Table:
    rows = [
        [
            m.config,
            str(m.images),
            "x".join(map(str, m.image[1:])),
            m.precision,
            f"{m.seconds:.3f}",
            f"{m.images / m.seconds:,.0f}",
        ]
        for m in measured
    ]
    notes = [
        "A step: forward, loss, backward, clipping and optimizer, on images of noise, with DCTC; "
        "n: one GPU's share of the batch. Neither the loading of images nor the exchange of "
        f"gradients is in it. {environment()['hardware']}"
    ]
    if trial:
        notes.append("A trial with a smaller batch: nothing is estimated from it.")
    if left_out:
        notes.append(f"Out of memory: {', '.join(left_out)}.")
    columns = ["configuration", "n", "image", "precision", "s/step", "images/s"]
    return Table("Steps of the paper's scale", columns, rows, notes)


def _write_json(measured: list[StepTime], name: str) -> None:
    file = runs_folder() / name
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(m) for m in measured]
    file.write_text(json.dumps({**environment(), "rows": rows}, indent=1) + "\n")
    print(f"written to {file}")
