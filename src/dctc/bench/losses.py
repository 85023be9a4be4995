"""Time and memory of every loss relative to CTC, forward and backward, on the same logits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn

from dctc.bench.loss import LABEL_LENGTH, Size
from dctc.bench.measure import interleaved, peak_memory
from dctc.losses import (
    ACELoss,
    CenterCTCLoss,
    ConfidencePenaltyCTCLoss,
    ConsistencyCTCLoss,
    CTCLoss,
    DCTCLoss,
    DistillationCTCLoss,
    EnCTCLoss,
    EnEsCTCLoss,
    EsCTCLoss,
    FocalCTCLoss,
    LabelSmoothingCTCLoss,
    PriorCTCLoss,
)
from dctc.reporting.environment import environment
from dctc.reporting.registry import runs_folder
from dctc.reporting.tables import Table

FILE = "bench/losses.json"  # below the folder of runs
REFERENCE = "ctc"
FEATURES = 128  # d, of the small residual net

# Words as the comparison of losses trains on them, and Chinese lines at 32x256
SIZES = {
    "tiny": (Size(37, 16, 4),),
    "smoke": (Size(37, 32, 32), Size(7935, 64, 32)),
}
REPEATS = {"tiny": 1, "smoke": 15, "small": 50}


def make_losses(classes: int) -> dict[str, nn.Module]:
    """Return every loss with its own defaults, by the name it has in the comparison of losses."""
    return {
        "ctc": CTCLoss(),
        "dctc": DCTCLoss(),
        "dctc_posterior": DCTCLoss(estimator="posterior"),
        "dctc_viterbi": DCTCLoss(estimator="viterbi"),
        "focal": FocalCTCLoss(),
        "enctc": EnCTCLoss(),
        "esctc": EsCTCLoss(),
        "enesctc": EnEsCTCLoss(),
        "label_smoothing": LabelSmoothingCTCLoss(),
        "confidence_penalty": ConfidencePenaltyCTCLoss(),
        "center": CenterCTCLoss(classes, FEATURES),
        "prior": PriorCTCLoss(classes),
        "distillation": DistillationCTCLoss(),
        "cr_ctc": ConsistencyCTCLoss(),
        "ace": ACELoss(),
    }


def bench_losses(scale: str, threads: int) -> Table:
    """Time the losses, interleaved; print the ratios to CTC and write what was measured.

    What a loss asks of the net is not in it: the teacher's pass of frame distillation. The two
    views of CR-CTC are each of half the batch, so that all losses see as many images.

    Args:
        scale: How much.
        threads: CPU threads.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    rows = []
    for size in SIZES.get(scale, SIZES["smoke"]):
        steps = {
            name: _step(loss, size, device) for name, loss in make_losses(size.classes).items()
        }
        seconds = interleaved(steps, REPEATS.get(scale, REPEATS["small"]), device)
        peaks = {name: peak_memory(step, device) for name, step in steps.items()}
        rows.append(
            {
                "classes": size.classes,
                "frames": size.frames,
                "batch": size.batch,
                "threads": threads,
                "median_s": seconds,
                "peak_bytes": peaks,
            }
        )
    about = environment()
    torch.set_num_threads(usual)
    table = _table(rows, str(about["hardware"]))
    table.print(Console())
    file = runs_folder() / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n")
    print(f"written to {file}")
    return table


def _step(loss: nn.Module, size: Size, device: torch.device) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    needs: frozenset[str] = getattr(loss, "needs", frozenset())
    n = size.batch // 2 if "views" in needs else size.batch
    logits = noise(size.frames, n, size.classes).requires_grad_()
    leaves = [logits]
    extras: dict[str, Tensor] = {}
    if "views" in needs:
        extras["second"] = noise(size.frames, n, size.classes).requires_grad_()
        leaves.append(extras["second"])
    if "teacher" in needs:
        extras["teacher"] = noise(size.frames, n, size.classes)
    if "features" in needs:
        extras["features"] = noise(size.frames, n, FEATURES).requires_grad_()
        leaves.append(extras["features"])
    targets = torch.randint(1, size.classes, (n, LABEL_LENGTH), generator=generator).to(device)
    lengths = torch.full((n,), size.frames), torch.full((n,), LABEL_LENGTH)
    loss.to(device)

    def step() -> None:
        loss(logits, targets, *lengths, **extras).backward()
        for leaf in leaves:
            leaf.grad = None

    return step


def _table(rows: list[dict[str, Any]], hardware: str) -> Table:
    cells = [
        [
            name,
            *(
                f"{row[what][name] / row[what][REFERENCE]:.2f}"
                for row in rows
                for what in ("median_s", "peak_bytes")
            ),
        ]
        for name in rows[0]["median_s"]
    ]
    sizes = [f"c={row['classes']:,} t={row['frames']} n={row['batch']}" for row in rows]
    columns = ["loss", *(f"{size} {what}" for size in sizes for what in ("time", "memory"))]
    reference = ", ".join(
        f"{1e3 * row['median_s'][REFERENCE]:.2f} ms and {row['peak_bytes'][REFERENCE] / 2**20:.2f} "
        f"MiB at {size}"
        for row, size in zip(rows, sizes, strict=True)
    )
    note = (
        "Forward and backward of the loss alone: medians of interleaved runs, and peak memory "
        f"beyond the logits, relative to CTC ({reference}). Frame distillation without its "
        f"teacher's pass; CR-CTC on two views of half the batch. {hardware}"
    )
    return Table("Every loss: time and memory relative to CTC", columns, cells, [note])


def read_costs() -> dict[str, tuple[float, float]]:
    """Return time and memory of each loss relative to CTC, at the first size; empty if unknown."""
    file = runs_folder() / FILE
    if not file.exists():
        return {}
    row = json.loads(file.read_text())["rows"][0]
    seconds, peaks = row["median_s"], row["peak_bytes"]
    return {
        name: (seconds[name] / seconds[REFERENCE], peaks[name] / peaks[REFERENCE])
        for name in seconds
    }
