"""Time and memory of the losses relative to :class:`torch.nn.CTCLoss`, forward and backward."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from dctc.bench.measure import interleaved, peak_memory
from dctc.bench.two_pass import two_pass_dctc
from dctc.losses import CTCLoss, DCTCLoss
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table

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


# 37 and 97: English words at 32x128; 7,935: Chinese lines at 32x256; 18,385: about the largest
# charset that a recogniser of several scripts uses
SIZES = {
    "tiny": (Size(37, 16, 4),),
    "smoke": (
        Size(37, 32, 256),
        Size(97, 32, 256),
        Size(1000, 64, 64),
        Size(7935, 64, 64),
        Size(18385, 64, 32),
    ),
}
REPEATS = {"tiny": 1, "smoke": 15, "small": 50}

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Measured:
    """What was measured of one size.

    Attributes:
        size: The problem.
        threads: CPU threads.
        median_s: Median seconds of each loss.
        peak_bytes: Peak memory of each loss, beyond logits and targets.
    """

    size: Size
    threads: int
    median_s: dict[str, float] = field(default_factory=dict)
    peak_bytes: dict[str, int] = field(default_factory=dict)


class _TorchCTC(nn.CTCLoss):
    """torch's own loss, with the log_softmax that it needs."""

    def forward(self, logits: Tensor, *rest: Tensor) -> Tensor:
        return super().forward(logits.log_softmax(2), *rest)


PEER = "torch CTC"
LOSSES: dict[str, Loss] = {
    PEER: _TorchCTC(reduction="sum", zero_infinity=True),
    "CTC": CTCLoss(reduction="sum"),
    "DCTC": DCTCLoss(reduction="sum"),
    "two-pass": two_pass_dctc,
}


def bench_loss(scale: str, threads: list[int]) -> Table:
    """Time the losses, interleaved, and print the medians' ratios to torch's CTC.

    Args:
        scale: How much.
        threads: CPU threads, one after the other; ignored on a GPU.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    repeats = REPEATS.get(scale, REPEATS["small"])
    measured = []
    usual = torch.get_num_threads()
    for size in SIZES.get(scale, SIZES["smoke"]):
        steps = _steps(size, device)
        for count in threads if device.type == "cpu" else threads[:1]:
            torch.set_num_threads(count)
            seconds = interleaved(steps, repeats, device)
            peaks = {name: peak_memory(step, device) for name, step in steps.items()}
            measured.append(Measured(size, count, seconds, peaks))
    torch.set_num_threads(usual)
    table = _table(measured)
    table.print(Console())
    _write_json(measured)
    return table


def _steps(size: Size, device: torch.device) -> dict[str, Callable[[], None]]:
    generator = torch.Generator().manual_seed(0)
    shape = (size.frames, size.batch, size.classes)
    logits = torch.randn(shape, generator=generator).to(device).requires_grad_()
    targets = torch.randint(1, size.classes, (size.batch, LABEL_LENGTH), generator=generator)
    arguments = (
        targets.to(device),
        torch.full((size.batch,), size.frames),
        torch.full((size.batch,), LABEL_LENGTH),
    )

    def step_of(loss: Loss) -> Callable[[], None]:
        def step() -> None:
            loss(logits, *arguments).backward()
            logits.grad = None

        return step

    return {name: step_of(loss) for name, loss in LOSSES.items()}


def _table(measured: list[Measured]) -> Table:
    rows = []
    for m in measured:
        others = [name for name in LOSSES if name != PEER]
        rows.append(
            [
                f"{m.size.classes:,}",
                f"{m.size.frames} x {m.size.batch}",
                str(m.threads),
                f"{1e3 * m.median_s[PEER]:.1f}",
                *(f"{m.median_s[name] / m.median_s[PEER]:.2f}" for name in others),
                f"{m.peak_bytes[PEER] / 2**20:.1f}",
                *(f"{m.peak_bytes[name] / m.peak_bytes[PEER]:.2f}" for name in others),
            ]
        )
    columns = ["classes", "t x n", "threads", "torch ms", *others, "torch MiB", *others]
    note = (
        "Forward and backward: medians of interleaved runs, and peak memory beyond the logits; "
        "CTC, DCTC and two-pass DCTC as ratios to torch.nn.CTCLoss with log_softmax. "
        f"{_hardware()}"
    )
    return Table("Losses: time and memory", columns, rows, [note])


def _hardware() -> str:
    return str(environment()["hardware"])


def _write_json(measured: list[Measured]) -> None:
    file = runs_folder() / "bench" / "loss.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = [asdict(m) for m in measured]
    file.write_text(json.dumps({**environment(), "rows": rows}, indent=1) + "\n")
    print(f"written to {file}")
