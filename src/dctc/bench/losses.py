"""Time and memory of every loss relative to CTC: the loss alone, and a step of training with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from experiments.tables.loss_table import Cost
from rich.console import Console
from torch import Tensor, nn

from dctc.bench.cost import arm, noise, train_step
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
from dctc.results.environment import environment
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.training.nets import Loaded, load_net

FILE = "bench/losses.json"  # below the folder of runs, or of published results
REFERENCE = "ctc"
FEATURES = 128  # d, of the small residual net
NET = Path("experiments/configs/model/small_resnet.yaml")  # what the comparison of losses trains

# Words as the comparison of losses trains on them, and Chinese lines at 32x256
SIZES = {
    "tiny": (Size(37, 16, 4),),
    "smoke": (Size(37, 32, 32), Size(7935, 64, 32)),
}
REPEATS = {"tiny": 1, "smoke": 15, "small": 50}
STEP_BATCH = {"tiny": 4, "smoke": 32}


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


def bench_losses(scale: str, threads: int) -> list[Table]:
    """Time the losses, interleaved; print the ratios to CTC and write what was measured.

    What a loss asks of the net is in the step of training alone: in frame distillation the
    teacher's pass and its move towards the net's weights. The two views of CR-CTC are each of half
    the batch, so that all losses see as many images.

    Args:
        scale: How much.
        threads: CPU threads; ignored on a GPU.

    Raises:
        OSError: If the net's fragment cannot be read, as outside of the repository's root.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    repeats = REPEATS.get(scale, REPEATS["small"])
    loaded, n = load_net(NET), STEP_BATCH.get(scale, STEP_BATCH["smoke"])
    steps = _measure(_training_steps(loaded, n, device), repeats, device)
    rows = []
    for size in SIZES.get(scale, SIZES["smoke"]):
        alone = {
            name: _step(loss, size, device) for name, loss in make_losses(size.classes).items()
        }
        of_size = {"classes": size.classes, "frames": size.frames, "batch": size.batch}
        rows.append({**of_size, **_measure(alone, repeats, device)})
    about = {**environment(), "threads": threads}
    torch.set_num_threads(usual)
    training = {"net": NET.stem, "image": loaded.image, "batch": n, **steps}
    tables = [_table(rows, str(about["hardware"])), _step_table(training, str(about["hardware"]))]
    for table in tables:
        table.print(Console())
        print()
    file = runs_folder() / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**about, "rows": rows, "training": training}, indent=1) + "\n")
    print(f"written to {file}")
    return tables


def _measure(
    steps: dict[str, Callable[[], None]], repeats: int, device: torch.device
) -> dict[str, dict[str, float]]:
    return {
        "median_s": interleaved(steps, repeats, device),
        "peak_bytes": {name: peak_memory(step, device) for name, step in steps.items()},
    }


def _training_steps(loaded: Loaded, n: int, device: torch.device) -> dict[str, Callable[[], None]]:
    """Return a step of training a copy of the net with each loss, as RecognizerModule takes it."""
    steps = {}
    for name, loss in make_losses(loaded.net.num_classes).items():
        batch = noise(n, loaded, device)
        if "views" in getattr(loss, "needs", ()):
            half = noise(n // 2, loaded, device)
            batch = half._replace(second=batch.image[n // 2 :])
        steps[name] = train_step(arm(loaded, loss).to(device), batch)
    return steps


def _step(loss: nn.Module, size: Size, device: torch.device) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)

    def scores(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device)

    needs: frozenset[str] = getattr(loss, "needs", frozenset())
    n = size.batch // 2 if "views" in needs else size.batch
    logits = scores(size.frames, n, size.classes).requires_grad_()
    leaves = [logits]
    extras: dict[str, Tensor] = {}
    if "views" in needs:
        extras["second"] = scores(size.frames, n, size.classes).requires_grad_()
        leaves.append(extras["second"])
    if "teacher" in needs:
        extras["teacher"] = scores(size.frames, n, size.classes)
    if "features" in needs:
        extras["features"] = scores(size.frames, n, FEATURES).requires_grad_()
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
    sizes = [f"c={row['classes']:,} t={row['frames']} n={row['batch']}" for row in rows]
    reference = ", ".join(f"{_absolute(row)} at {s}" for row, s in zip(rows, sizes, strict=True))
    note = (
        "Forward and backward of the loss alone: medians of interleaved runs, and peak memory "
        f"beyond the logits, relative to CTC ({reference}). Frame distillation without its "
        f"teacher's pass; CR-CTC on two views of half the batch. {hardware}"
    )
    columns = [f"{size} {what}" for size in sizes for what in ("time", "memory")]
    return _ratios("Every loss: time and memory relative to CTC", columns, rows, note)


def _step_table(training: dict[str, Any], hardware: str) -> Table:
    _, height, width = training["image"]
    note = (
        f"Forward, loss and backward of {training['net']}, {training['batch']} images of "
        f"{height}x{width}: medians of interleaved steps, and peak memory beyond the weights, "
        f"relative to CTC ({_absolute(training)}). Frame distillation with its teacher's "
        f"pass and move; CR-CTC on two views of half the batch. {hardware}"
    )
    title = "A step of training with every loss: time and memory relative to CTC"
    return _ratios(title, ["time", "memory"], [training], note)


def _ratios(title: str, columns: list[str], rows: list[dict[str, Any]], note: str) -> Table:
    cells = [
        [
            name.replace("_", " "),
            *(
                f"{row[what][name] / row[what][REFERENCE]:.2f}"
                for row in rows
                for what in ("median_s", "peak_bytes")
            ),
        ]
        for name in rows[0]["median_s"]
    ]
    return Table(title, ["loss", *columns], cells, [note])


def _absolute(row: dict[str, Any]) -> str:
    seconds, peak = row["median_s"][REFERENCE], row["peak_bytes"][REFERENCE]
    return f"{1e3 * seconds:.2f} ms and {peak / 2**20:.2f} MiB"


def read_costs(folder: Path) -> dict[str, Cost]:
    """Return what each loss costs, at the first size; empty if it was not measured.

    Args:
        folder: Of runs, or of published results.
    """
    file = folder / FILE
    if not file.exists():
        return {}
    measured = json.loads(file.read_text(encoding="utf-8"))
    step, alone = measured["training"], measured["rows"][0]

    def ratio(row: dict[str, Any], what: str, name: str) -> float:
        return float(row[what][name] / row[what][REFERENCE])

    return {
        name: Cost(
            ratio(step, "median_s", name),
            ratio(step, "peak_bytes", name),
            ratio(alone, "median_s", name),
        )
        for name in step["median_s"]
    }
