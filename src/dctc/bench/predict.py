"""Throughput of ``dctc predict --images`` beside that of its network alone."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console

from dctc.data.loaders import eval_loader
from dctc.data.records.images import ImageFiles, ImageSize, LmdbImages, open_images
from dctc.losses import CTCLoss
from dctc.models import TimmRecognizer
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.text import CTCTokenizer
from dctc.training.module import RecognizerModule
from dctc.training.predict import read_images

SCALES = {"tiny": (8, 1), "smoke": (2048, 3), "small": (8192, 5)}  # images drawn, repeats
BATCH_SIZE = 128  # dctc predict's default
TYPICAL = (40, 130)  # height and width of the images drawn: of the order of a word in IIIT5K


def bench_predict(scale: str, threads: int, images: Path | None = None) -> Table:
    """Read images with small_resnet, and with its network alone; print the throughput of both.

    The two take turns, and each ratio is that of one turn, so that a machine which is slower at
    times slows both.

    Args:
        scale: How much.
        threads: CPU threads of the net; one worker decodes beside it.
        images: Folder or LMDB folder to read; None draws images of noise.
    """
    count, repeats = SCALES.get(scale, SCALES["small"])
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        if images is None:
            images = Path(folder)
            _draw(images, count)
        turns = _measure(open_images(images, ImageSize()), Path(folder, "out.tsv"), repeats)
    table = _table(turns, threads)
    table.print(Console())
    _write_json(turns, threads)
    torch.set_num_threads(usual)
    return table


def _draw(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for i in range(count):
        height, width = random.poisson(TYPICAL)
        pixels = random.integers(0, 256, (4, 16, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)
        image.save(folder / f"{i:06}.png")


Turn = dict[str, float]


def _measure(images: ImageFiles | LmdbImages, file: Path, repeats: int) -> list[Turn]:
    """Return images per second of the network alone and of the whole, turn by turn."""
    torch.manual_seed(0)
    tokenizer = CTCTokenizer("36")
    module = RecognizerModule(TimmRecognizer(tokenizer.num_classes), CTCLoss(), tokenizer)
    module.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    batches = [batch.image for batch in eval_loader(images, BATCH_SIZE)]
    read = sum(map(len, batches))
    turns = []
    for repeat in range(repeats + 1):
        before = _network_seconds(module, batches)
        cpu = time.process_time()
        whole = read_images(module, images, file, BATCH_SIZE, num_workers=1)
        cpu = time.process_time() - cpu
        # the net again, behind it: a machine that grows slower favours neither
        after = _network_seconds(module, batches)
        wall_s, cpu_s = ((a + b) / 2 for a, b in zip(before, after, strict=True))
        if repeat:
            turns.append(
                {
                    "network": read / wall_s,
                    "predict": whole.images / whole.seconds,
                    "share": wall_s / whole.seconds,
                    "CPU share": cpu_s / cpu,
                }
            )
    return turns


@torch.inference_mode()
def _network_seconds(module: RecognizerModule, batches: list[torch.Tensor]) -> tuple[float, float]:
    """Return the seconds on the clock, and those of CPU time in this process."""
    began, cpu = time.perf_counter(), time.process_time()
    for batch in batches:
        # the logits on the CPU end the computing on a GPU
        module.net(batch.to(module.device)).cpu()
    return time.perf_counter() - began, time.process_time() - cpu


def _median(turns: list[Turn], name: str) -> float:
    return float(np.median([turn[name] for turn in turns]))


def _table(turns: list[Turn], threads: int) -> Table:
    speeds, shares = ("network", "predict"), ("share", "CPU share")
    rows = [
        [str(i), *(f"{t[name]:.0f}" for name in speeds), *(f"{t[name]:.3f}" for name in shares)]
        for i, t in enumerate(turns, 1)
    ]
    rows.append(["median", "", "", *(f"{_median(turns, name):.3f}" for name in shares)])
    note = (
        f"Images/s with small_resnet, batches of {BATCH_SIZE}: the network alone on batches in "
        f"memory, with {threads} CPU threads; predict from the first image asked for to the last "
        f"line written, with one worker beside it. Share: predict to network. CPU share: the "
        f"network's CPU time to predict's, without the worker's; other work on the machine "
        f"disturbs it less. {environment()['hardware']}"
    )
    return Table("Predict: throughput", ["turn", *speeds, *shares], rows, [note])


def _write_json(turns: list[Turn], threads: int) -> None:
    file = runs_folder() / "bench" / "predict.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"threads": threads, "turns": turns, "share": _median(turns, "share")}
    file.write_text(json.dumps({**environment(), **found}, indent=1) + "\n")
    print(f"written to {file}")
