"""Time and memory of every loss relative to CTC: the loss alone, and a step of training with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from dctc.bench.describe import arm, noise, train_step
from dctc.bench.loss import REPEATS, Size, step_of, words_of
from dctc.bench.measure import Steps, cpu_threads, default_device, report, time_and_memory
from dctc.data.records.image_size import HEIGHT, WIDTH
from dctc.losses import every_loss
from dctc.losses.base import SequenceLoss
from dctc.models import TimmRecognizer
from dctc.results.environment import measured_on
from dctc.runs.net import Loaded
from dctc.tables import Table
from dctc.text import CTCTokenizer, usual_protocol

REFERENCE = "ctc"
NET = "small_resnet"
FEATURES = 128  # d of this net

# Words as the comparison of losses trains on them, and Chinese lines at 32x256
SIZES = {"tiny": (Size(37, 16, 4),), "smoke": (Size(37, 32, 32), Size(7935, 64, 32))}
STEP_BATCH = {"tiny": 4, "smoke": 32}


def bench_losses(scale: str, threads: int) -> None:
    """Time the losses, interleaved; print the ratios to CTC and write the measurements.

    What a loss asks of the net is in the step of training alone: in frame distillation the
    teacher's pass and its move towards the net's weights. The two views of CR-CTC are each of half
    the batch, so that all losses see as many images.

    Args:
        scale: How much.
        threads: CPU threads; ignored on a GPU.
    """
    device, n = default_device(), STEP_BATCH.get(scale, STEP_BATCH["smoke"])
    tokenizer = CTCTokenizer("36")
    net = TimmRecognizer(tokenizer.num_classes, NET)
    protocol = usual_protocol(tokenizer.charset)
    loaded = Loaded(net, tokenizer, protocol, (3, HEIGHT, WIDTH), keep_ratio=False)
    with cpu_threads(threads):
        steps = time_and_memory(_training_steps(loaded, n, device), REPEATS[scale], device)
        rows = []
        for size in SIZES.get(scale, SIZES["smoke"]):
            of_size = every_loss(size.classes, FEATURES)
            alone = {name: _step(loss, size, device) for name, loss in of_size.items()}
            rows.append({**size._asdict(), **time_and_memory(alone, REPEATS[scale], device)})
        training = {"net": NET, "image": loaded.image, "batch": n, **steps}
        measured = {"threads": threads, "rows": rows, "training": training}
        report("losses", scale, measured, losses_table)


def _training_steps(loaded: Loaded, n: int, device: torch.device) -> Steps:
    """Return a step of training a copy of the net with each loss, as RecognizerModule takes it."""
    steps = {}
    for name, loss in every_loss(loaded.net.num_classes, FEATURES).items():
        batch = noise(n, loaded, device)
        if "second" in loss.needs:
            half = noise(n // 2, loaded, device)
            batch = half._replace(second=batch.image[n // 2 :])
        steps[name] = train_step(arm(loaded, loss).to(device), batch)
    return steps


def _step(loss: SequenceLoss[Any], size: Size, device: torch.device) -> Callable[[], None]:
    n = size.batch // 2 if "second" in loss.needs else size.batch
    sizes = {"second": size.classes, "teacher": size.classes, "features": FEATURES}
    extras = {
        name: torch.randn(size.frames, n, d, device=device).requires_grad_(name != "teacher")
        for name, d in sizes.items()
        if name in loss.needs
    }
    logits = torch.randn(size.frames, n, size.classes, device=device).requires_grad_()
    words = words_of(size._replace(batch=n), device)
    call = partial(loss.to(device), logits, *words, **extras)
    return step_of(call, [logits, *extras.values()])


def losses_table(measured: dict[str, Any], titles: Mapping[str, str] | None = None) -> Table:
    """Return the cost of each loss as a multiple of that of CTC; the loss alone at the first size.

    Args:
        measured: What :func:`bench_losses` has written.
        titles: Losses that are shown, by key; all of them by default.
    """
    step, alone = measured["training"], measured["rows"][0]
    titles = titles or {key: key.replace("_", " ") for key in step["median_s"]}
    parts = (step["median_s"], step["peak_bytes"], alone["median_s"])
    rows = [
        [titles[key], *(f"{part[key] / part[REFERENCE]:.2f}" for part in parts)]
        for key in step["median_s"]
        if key in titles
    ]
    size = "x".join(map(str, step["image"][1:]))
    note = (
        "Time and memory as multiples of CTC's, medians of one run of dctc bench --what losses, "
        "each loss with its defaults: of a training step (forward, loss, backward) of "
        f"{step['net']}, {step['batch']} images of {size}, and of the loss alone, "
        f"{alone['classes']} classes. {measured_on(measured)}."
    )
    columns = ["loss", "step time", "step memory", "loss time"]
    return Table("Cost of the losses", columns, rows, [note])
