"""Time and memory of the last layer and the loss together, against one after the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from rich.console import Console

from dctc.bench.loss import LABEL_LENGTH, REPEATS, Size
from dctc.bench.measure import interleaved, peak_memory
from dctc.losses import DCTCLoss, dctc_linear_loss
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table

FEATURES = 256  # d
SIZES = {"tiny": Size(500, 8, 4), "smoke": Size(18385, 64, 128)}
PEER = "linear, torch CTC"


@dataclass(frozen=True)
class Measured:
    """Medians of one way.

    Attributes:
        name: Which.
        median_s: Seconds, forward and backward.
        peak_bytes: Peak memory beyond features and weights.
    """

    name: str
    median_s: float
    peak_bytes: int


def bench_linear(scale: str) -> Table:
    """Time ``dctc_linear_loss`` against a linear layer with torch's CTC, and with DCTCLoss.

    Args:
        scale: How much.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    size = SIZES.get(scale, SIZES["smoke"])
    steps = _steps(size, device)
    seconds = interleaved(steps, 1 if scale == "tiny" else REPEATS["smoke"] // 3, device)
    rows = [
        Measured(name, seconds[name], peak_memory(step, device)) for name, step in steps.items()
    ]
    table = _table(rows, size)
    table.print(Console())
    file = runs_folder() / "bench" / "linear.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {**environment(), **asdict(size), "d": FEATURES, "rows": [asdict(r) for r in rows]}
    file.write_text(json.dumps(content, indent=1) + "\n")
    print(f"written to {file}")
    return table


def _steps(size: Size, device: torch.device) -> dict[str, Callable[[], None]]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator).to(device)

    features = draw(size.frames, size.batch, FEATURES).requires_grad_()
    weight = draw(size.classes, FEATURES).div_(FEATURES**0.5).requires_grad_()
    bias = torch.zeros(size.classes, device=device, requires_grad=True)
    targets = torch.randint(1, size.classes, (size.batch, LABEL_LENGTH), generator=generator)
    arguments = (
        targets.to(device),
        torch.full((size.batch,), size.frames),
        torch.full((size.batch,), LABEL_LENGTH),
    )

    def torch_ctc() -> torch.Tensor:
        log_probs = F.linear(features, weight, bias).log_softmax(2)
        return F.ctc_loss(log_probs, *arguments, reduction="sum", zero_infinity=True)

    def unfused() -> torch.Tensor:
        return DCTCLoss(reduction="sum")(F.linear(features, weight, bias), *arguments)

    def fused() -> torch.Tensor:
        return dctc_linear_loss(features, weight, bias, *arguments, reduction="sum")

    def step_of(loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def step() -> None:
            loss().backward()
            features.grad = weight.grad = bias.grad = None

        return step

    ways = {PEER: torch_ctc, "linear, DCTCLoss": unfused, "dctc_linear_loss": fused}
    return {name: step_of(loss) for name, loss in ways.items()}


def _table(rows: list[Measured], size: Size) -> Table:
    peer = rows[0]
    cells = [
        [
            row.name,
            f"{1e3 * row.median_s:.0f}",
            f"{row.median_s / peer.median_s:.2f}",
            f"{row.peak_bytes / 2**20:.0f}",
            f"{row.peak_bytes / peer.peak_bytes:.2f}",
        ]
        for row in rows
    ]
    note = (
        f"Forward and backward at {size.classes:,} classes, t {size.frames}, n {size.batch}, "
        f"d {FEATURES}: medians of interleaved runs, peak memory beyond features and weights, and "
        f"ratios to the first row. {environment()['hardware']}"
    )
    return Table("Last layer and loss", ["way", "ms", "ratio", "MiB", "ratio"], cells, [note])
