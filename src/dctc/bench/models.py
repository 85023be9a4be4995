"""Every model fragment: size, cost, and what DCTC, channels-last and bfloat16 change.

Both arms are built as a training builds them: a RecognizerModule with CTCLoss or with DCTCLoss.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from dctc.bench.cost import (
    FLOPS_NOTE,
    Description,
    arm,
    count_parameters,
    describe,
    inference_step,
    noise,
    train_step,
)
from dctc.bench.measure import interleaved
from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss, DCTCLoss
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.training.module import RecognizerModule
from dctc.training.nets import Loaded, load_net
from dctc.training.objective import AttentionNet

FRAGMENTS = Path("experiments/configs/model")
# by scale: the largest batch, repeats at most, seconds of a model after which no repeat begins
SCALES = {"tiny": (2, 1, 1.0), "smoke": (32, 15, 8.0), "small": (32, 50, 60.0)}
ROUNDS = 8  # ours: at least about so many turns fit into the seconds; large nets get few images
ROUND_COST = 16  # a round in inferences: 4 of them, and 4 steps of training at 3 each
LOSSES = {"CTC": CTCLoss, "DCTC": DCTCLoss}
TINY = "small_resnet"


@dataclass(frozen=True)
class Measured:
    """What was measured of one model.

    Attributes:
        model: Name of its fragment.
        parameters: Of each arm, its loss included.
        description: Of the net; its speeds are those of the batch size given there.
        inference_s: Median seconds of a batch: the net in evaluation mode, of both arms, and of the
            CTC arm in contiguous memory, in channels-last memory and under bfloat16 autocast.
        train_s: The same for forward, loss and backward.
    """

    model: str
    parameters: dict[str, int]
    description: Description
    inference_s: dict[str, float]
    train_s: dict[str, float]


def bench_models(scale: str, threads: int, fragments: Path = FRAGMENTS) -> list[Table]:
    """Measure every model fragment, print two tables and write them as JSON.

    Args:
        scale: How much; tiny measures one model.
        threads: CPU threads; ignored on a GPU.
        fragments: Folder of the fragments.

    Raises:
        FileNotFoundError: If there are no fragments.
    """
    files = sorted(fragments.glob("*.yaml"))
    if scale == "tiny":
        files = [file for file in files if file.stem == TINY]
    if not files:
        raise FileNotFoundError(f"{fragments}: no model fragments; run from the repository's root")
    largest, repeats, limit_s = SCALES.get(scale, SCALES["small"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    measured, left_out = [], []
    for file in files:
        loaded = load_net(file)
        if isinstance(loaded.net, AttentionNet):  # it has no CTC to be regularised
            left_out.append(file.stem)
        else:
            measured.append(_measure(file.stem, loaded, largest, repeats, limit_s, device))
    tables = [_inference_table(measured), _training_table(measured)]
    for table in tables:
        table.print(Console())
    if left_out:
        print(f"without CTC, so left out: {', '.join(left_out)}; dctc describe measures them")
    _write_json(measured)
    torch.set_num_threads(usual)
    return tables


def _measure(
    model: str, loaded: Loaded, largest: int, repeats: int, limit_s: float, device: torch.device
) -> Measured:
    arms = {name: arm(loaded, loss()).to(device) for name, loss in LOSSES.items()}
    n = _batch_size(arms["CTC"], loaded, largest, limit_s, device)
    inference, train = _variants(arms, noise(n, loaded, device), device)
    # apart, since a step of training leaves other caches behind than an inference does
    inference_s = interleaved(inference, repeats, device, limit_s / 4)
    train_s = interleaved(train, repeats, device, 3 * limit_s / 4)
    return Measured(
        model,
        {name: count_parameters(module) for name, module in arms.items()},
        describe(loaded, device, n, limit_s / 10),
        inference_s,
        train_s,
    )


def _batch_size(
    module: RecognizerModule, loaded: Loaded, largest: int, limit_s: float, device: torch.device
) -> int:
    """Return a power of two, at most ``largest``, of which ROUNDS rounds take about ``limit_s``."""
    one = {"one": inference_step(module, noise(1, loaded, device).image)}
    n = limit_s / ROUNDS / (ROUND_COST * interleaved(one, 3, device)["one"])
    return max(1, min(largest, 2 ** int(max(n, 1)).bit_length() // 2))


Steps = dict[str, Callable[[], None]]


def _variants(
    arms: dict[str, RecognizerModule], batch: Batch, device: torch.device
) -> tuple[Steps, Steps]:
    """Return the steps of inference and of training by what they are called in the tables."""
    inference: Steps = {}
    train: Steps = {}
    for name, module in arms.items():
        inference[name] = inference_step(module, batch.image)
        train[name] = train_step(module, batch)
    for name, memory in (
        ("contiguous", torch.contiguous_format),
        ("channels-last", torch.channels_last),
    ):
        module = copy.deepcopy(arms["CTC"]).to(memory_format=memory)
        given = batch._replace(image=batch.image.contiguous(memory_format=memory))
        inference[name] = inference_step(module, given.image)
        train[name] = train_step(module, given)

    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast(device.type, torch.bfloat16)

    inference["bfloat16"] = _under(autocast, inference["CTC"])
    train["bfloat16"] = _under(autocast, train["CTC"])
    return inference, train


def _under(
    context: Callable[[], AbstractContextManager[Any]], step: Callable[[], None]
) -> Callable[[], None]:
    def inside() -> None:
        with context():
            step()

    return inside


def _ratios(seconds: dict[str, float]) -> list[str]:
    pairs = (("DCTC", "CTC"), ("channels-last", "contiguous"), ("bfloat16", "CTC"))
    return [f"{seconds[a] / seconds[b]:.2f}" for a, b in pairs]


RATIOS = ["DCTC / CTC", "channels -last", "bf16"]
RATIOS_NOTE = (
    "Ratios of median times, measured in turn in one run: DCTC to CTC; channels-last memory of "
    "weights and images to contiguous memory; bfloat16 autocast to float32. Below 1 is faster."
)


def _inference_table(measured: list[Measured]) -> Table:
    rows = []
    for m in measured:
        d = m.description
        size = [f"{m.parameters[name]:,}" for name in LOSSES]
        ms = 1e3 * m.inference_s["CTC"] / d.batch_size
        cost = [f"{d.flops / 1e9:.3f}", f"{d.frames}", f"{d.batch_size}", f"{ms:.2f}"]
        rows.append([m.model, *size, *cost, *_ratios(m.inference_s)])
    columns = ["model", "CTC parameters", "DCTC parameters", "GFLOPs", "t", "n", "CTC ms/image"]
    notes = [FLOPS_NOTE, f"t frames, n images in a batch. {RATIOS_NOTE} {_hardware()}"]
    return Table("Models: inference", [*columns, *RATIOS], rows, notes)


def _training_table(measured: list[Measured]) -> Table:
    rows = []
    for m in measured:
        d = m.description
        peak = f"{d.train_peak_bytes / 2**20:.0f}"
        ms = f"{1e3 * m.train_s['CTC'] / d.batch_size:.2f}"
        rows.append([m.model, str(d.batch_size), peak, ms, *_ratios(m.train_s)])
    note = (
        f"A step is forward, loss and backward, without the optimizer; its peak memory counts "
        f"activations and gradients. {RATIOS_NOTE} {_hardware()}"
    )
    return Table(
        "Models: a training step", ["model", "n", "CTC MiB", "CTC ms/image", *RATIOS], rows, [note]
    )


def _hardware() -> str:
    return str(environment()["hardware"])


def _write_json(measured: list[Measured]) -> None:
    file = runs_folder() / "bench" / "models.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [asdict(m) for m in measured]
    file.write_text(json.dumps({**environment(), "rows": rows}, indent=1) + "\n")
    print(f"written to {file}")
