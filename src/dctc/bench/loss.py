"""Time of the losses relative to :class:`torch.nn.CTCLoss`, forward and backward."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from rich.console import Console
from torch import Tensor, nn

from dctc.losses import CTCLoss, DCTCLoss
from dctc.reporting.environment import environment
from dctc.reporting.registry import runs_folder
from dctc.reporting.tables import Table

LABEL_LENGTH = 8  # characters, a usual word


@dataclass(frozen=True)
class Size:
    """Size of one problem.

    Attributes:
        classes: c.
        frames: t.
        batch: n.
    """

    classes: int
    frames: int
    batch: int


# 37 and 97: English at 32x128; 7,935: the Chinese benchmark at 32x256 (docs of the paper's code)
SIZES = {
    "tiny": (Size(37, 16, 4),),
    "smoke": (Size(37, 32, 256), Size(97, 32, 256), Size(7935, 64, 64)),
}
REPEATS = {"tiny": 1, "smoke": 15, "small": 50}


class _TorchCTC(nn.CTCLoss):
    """torch's own loss, with the log_softmax that it needs."""

    def forward(self, logits: Tensor, *rest: Tensor) -> Tensor:
        return super().forward(logits.log_softmax(2), *rest)


def bench_loss(scale: str, threads: int | None = None) -> Table:
    """Time the losses, interleaved, and print the medians' ratios to torch's CTC.

    Args:
        scale: How much.
        threads: CPU threads; None leaves torch's setting.
    """
    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    losses: dict[str, nn.Module] = {
        "torch CTC": _TorchCTC(reduction="sum", zero_infinity=True),
        "CTCLoss": CTCLoss(reduction="sum"),
        "DCTCLoss": DCTCLoss(reduction="sum"),
    }
    measured = []
    for size in SIZES.get(scale, SIZES["smoke"]):
        problem = _problem(size, device)
        steps = {name: _step(loss, problem) for name, loss in losses.items()}
        measured.append((size, _interleaved(steps, REPEATS.get(scale, REPEATS["small"]), device)))
    table = _table(measured, list(losses))
    table.print(Console())
    _write_json(measured)
    return table


def _problem(size: Size, device: torch.device) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shape = (size.frames, size.batch, size.classes)
    logits = torch.randn(shape, generator=generator).to(device).requires_grad_()
    targets = torch.randint(1, size.classes, (size.batch, LABEL_LENGTH), generator=generator)
    input_lengths = torch.full((size.batch,), size.frames)
    target_lengths = torch.full((size.batch,), LABEL_LENGTH)
    return logits, targets.to(device), input_lengths, target_lengths


def _step(loss: nn.Module, problem: tuple[Tensor, ...]) -> Callable[[], None]:
    def step() -> None:
        problem[0].grad = None
        loss(*problem).backward()

    return step


def _interleaved(
    steps: dict[str, Callable[[], None]], repeats: int, device: torch.device
) -> dict[str, float]:
    """Return the median seconds of each step; one of each is run in turn, after a warm-up."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(repeats + 1):
        for name, step in steps.items():
            _synchronize(device)
            began = time.perf_counter()
            step()
            _synchronize(device)
            if repeat:
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _table(measured: list[tuple[Size, dict[str, float]]], names: list[str]) -> Table:
    rows = [
        [
            f"{size.classes:,}",
            str(size.frames),
            str(size.batch),
            f"{1e3 * median[names[0]]:.1f}",
            *(f"{median[name] / median[names[0]]:.2f}" for name in names[1:]),
        ]
        for size, median in measured
    ]
    columns = ["classes", "frames", "batch", f"{names[0]} ms", *(f"{n} ratio" for n in names[1:])]
    hardware = environment()["hardware"]
    note = f"forward and backward, medians, ratios to torch.nn.CTCLoss of the same run; {hardware}"
    return Table("Time of the losses", columns, rows, [note])


def _write_json(measured: list[tuple[Size, dict[str, float]]]) -> None:
    file = runs_folder() / "bench" / "loss.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(size), "median_s": median} for size, median in measured]
    file.write_text(json.dumps({**environment(), "rows": rows}, indent=1) + "\n")
    print(f"written to {file}")
