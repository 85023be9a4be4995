"""Nets with CTC and with DCTC: size, cost, and what channels-last and bfloat16 change.

Both arms are built as a training builds them: a RecognizerModule with CTCLoss or with DCTCLoss.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from dctc.bench.describe import arm, count_parameters, describe, inference_step, noise, train_step
from dctc.bench.measure import Steps, cpu_threads, default_device, interleaved, report
from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss, DCTCLoss
from dctc.results.environment import gpu, measured_on
from dctc.runs.net import Loaded, load_net
from dctc.tables import Table
from dctc.training.module import RecognizerModule
from dctc.training.objective import AttentionNet

# by scale: the largest batch, repeats at most, seconds of a model after which no repeat begins
SCALES = {"tiny": (2, 1, 1.0), "smoke": (32, 15, 8.0), "small": (32, 50, 60.0)}
ROUNDS = 8  # ours: at least about so many rounds fit into the seconds; large nets get few images
ROUND_COST = 20  # a round in inferences: 5 of them, and 5 steps of training at 3 each
LOSSES = {"CTC": CTCLoss, "DCTC": DCTCLoss}


def bench_models(scale: str, threads: int, configs: Path) -> None:
    """Measure the net of every configuration of a folder; print a table and write it as JSON.

    Args:
        scale: How much.
        threads: CPU threads; ignored on a GPU.
        configs: Folder of YAML files, each with a ``model.net``.

    Raises:
        FileNotFoundError: If there are none.
    """
    files = sorted(configs.glob("*.yaml"))
    if not files:
        raise FileNotFoundError(f"--configs {configs}: no YAML files in it")
    # all are built first, so that a fault shows before minutes of work; some have no CTC
    left_out = [file for file in files if isinstance(load_net(file).net, AttentionNet)]
    with cpu_threads(threads):
        rows = [
            {"model": file.stem, **_measure(load_net(file), *SCALES[scale])}
            for file in files
            if file not in left_out
        ]
        report("models", scale, {"rows": rows}, models_table)
    if left_out:
        names = ", ".join(file.stem for file in left_out)
        print(f"without CTC, so left out: {names}; dctc describe measures them")


def _measure(loaded: Loaded, largest: int, repeats: int, limit_s: float) -> dict[str, Any]:
    device = default_device()
    arms = {name: arm(loaded, loss()).to(device) for name, loss in LOSSES.items()}
    n = _batch_size(arms["CTC"], loaded, largest, limit_s, device)
    batch = noise(n, loaded, device)
    # apart, since a step of training leaves other caches behind than an inference does
    inference = _variants(lambda module, given: inference_step(module, given.image), arms, batch)
    return {
        "parameters": {name: count_parameters(module) for name, module in arms.items()},
        "description": describe(loaded, device, n, limit_s / 10),
        "inference_s": interleaved(inference, repeats, device, limit_s / 4),
        "train_s": interleaved(_variants(train_step, arms, batch), repeats, device, limit_s * 0.75),
    }


def _batch_size(
    module: RecognizerModule, loaded: Loaded, largest: int, limit_s: float, device: torch.device
) -> int:
    """Return a power of two, at most ``largest``, of which ROUNDS rounds take about ``limit_s``."""
    one = {"one": inference_step(module, noise(1, loaded, device).image)}
    n = limit_s / ROUNDS / (ROUND_COST * interleaved(one, 3, device)["one"])
    return max(1, min(largest, 2 ** int(max(n, 1)).bit_length() // 2))


def _variants(
    make: Callable[[RecognizerModule, Batch], Callable[[], None]],
    arms: dict[str, RecognizerModule],
    batch: Batch,
) -> Steps:
    """Return a step of both arms, and of CTC's with other memory formats and under autocast."""
    steps = {name: make(module, batch) for name, module in arms.items()}
    for name, memory in (
        ("contiguous", torch.contiguous_format),
        ("channels-last", torch.channels_last),
    ):
        module = copy.deepcopy(arms["CTC"]).to(memory_format=memory)
        image = batch.image.contiguous(memory_format=memory)
        steps[name] = make(module, batch._replace(image=image))
    plain, device = steps["CTC"], batch.image.device.type

    def under_autocast() -> None:
        with torch.autocast(device, torch.bfloat16):
            plain()

    return steps | {"bfloat16": under_autocast}


def models_table(measured: dict[str, Any]) -> Table:
    """Return the table of what :func:`bench_models` has written."""
    rows = []
    inputs = [_input(row["description"]) for row in measured["rows"]]
    usual = max(inputs, key=inputs.count, default="no model")
    for row in measured["rows"]:
        d, inference, train = row["description"], row["inference_s"], row["train_s"]
        sizes = [row["parameters"]["CTC"] / 1e6, d["flops"] / 1e9]
        measures = [
            1e3 * inference["CTC"] / d["batch_size"],
            inference["DCTC"] / inference["CTC"],
            train["DCTC"] / train["CTC"],
            inference["channels-last"] / inference["contiguous"],
            inference["bfloat16"] / inference["CTC"],
        ]
        model = row["model"] + (f" ({_input(d)})" if _input(d) != usual else "")
        numbers, ratios = ([f"{x:.2f}" for x in values] for values in (sizes, measures))
        rows.append([model, *numbers, str(d["frames"]), *ratios])
    heads = ["model", "M parameters", "GFLOPs", "frames", "ms/image", "DCTC/CTC, inference"]
    note = (
        f"{usual}, float32; ratios of medians measured in one run, below 1 is "
        "faster. Channels-last and bf16 (autocast, to float32): inference. "
        f"{measured_on(measured)}."
    )
    columns = [*heads, "DCTC/CTC, training step", "channels-last", "bf16"]
    return Table(f"Models{' on a GPU' if gpu(measured) else ''}", columns, rows, [note])


def _input(description: dict[str, Any]) -> str:
    _, height, width = description["image"]
    return f"{height}x{width} images, {description['classes']:,} classes"
