"""Time and memory of CTC and DCTC relative to :class:`torch.nn.CTCLoss`, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dctc.bench.measure import (
    Launches,
    Steps,
    cpu_threads,
    default_device,
    graphed,
    interleaved,
    report,
    time_and_memory,
)
from dctc.ctc import Labels, LinearLogits, ctc_terms, pack_labels, torch_kernels
from dctc.ctc.kernels import choose_kernels
from dctc.losses import CTCLoss, DCTCLoss
from dctc.results.environment import gpu, measured_on
from dctc.tables import Table

LABEL_LENGTH = 8  # characters, a usual word; what CTC costs hardly depends on it


class Size(NamedTuple):
    """Size of one problem: c, t and n."""

    classes: int
    frames: int
    batch: int


# 37 and 97: English words at 32x128; 7,935: Chinese lines at 32x256; 18,385: about the largest
# charset that a recogniser of several scripts uses; 18,710: PP-OCRv6 small, 320 pixels
SIZES = {
    "tiny": (Size(37, 16, 4),),
    "smoke": (
        Size(37, 32, 256),
        Size(97, 32, 256),
        Size(1000, 64, 64),
        Size(7935, 64, 64),
        Size(18385, 64, 32),
        Size(18710, 40, 16),
    ),
}
REPEATS = {"tiny": 1, "smoke": 15, "small": 50}
PEER = "torch CTC"
FEATURES = 120  # d, of PP-OCRv6 small


def bench_loss(scale: str, threads: Sequence[int]) -> None:
    """Time torch's CTC, ours, DCTC and a plain DCTC of two passes, interleaved.

    Also a last linear layer and DCTC after it, and both fused (:class:`dctc.ctc.LinearLogits`).

    Args:
        scale: How much.
        threads: CPU threads, one after the other; the first alone on a GPU.
    """
    device, rows = default_device(), []
    for size in SIZES.get(scale, SIZES["smoke"]):
        logits = torch.randn(size.frames, size.batch, size.classes, device=device)
        logits.requires_grad_()
        words = words_of(size, device)
        losses: dict[str, Callable[..., Tensor]] = {
            PEER: _torch_ctc,
            "CTC": CTCLoss(reduction="sum"),
            "DCTC": DCTCLoss(reduction="sum"),
            "two-pass": two_pass_dctc,
        }
        steps = {k: step_of(partial(loss, logits, *words), [logits]) for k, loss in losses.items()}
        steps |= _head_steps(size, words, device)
        for count in threads if device.type == "cpu" else threads[:1]:
            with cpu_threads(count):
                measured = time_and_memory(steps, REPEATS[scale], device)
            if device.type != "cpu":  # where Triton's kernels run, loaded by now
                measured["launches"] = {
                    name: launches_of(step, device) for name, step in steps.items()
                }
                if choose_kernels(logits) is not torch_kernels:  # these wait for the device
                    dctc = partial(packed_dctc, logits, pack_labels(logits, *words, 0))
                    graph = {"DCTC": graphed(step_of(dctc, [logits]), device)}
                    measured["graph_s"] = interleaved(graph, REPEATS[scale], device)
            rows.append({"size": size._asdict(), "threads": count, **measured})
    report("loss", scale, {"rows": rows}, loss_table)


def _head_steps(size: Size, words: tuple[Tensor, ...], device: torch.device) -> Steps:
    head = nn.Linear(FEATURES, size.classes, device=device)
    features = torch.randn(size.frames, size.batch, FEATURES, device=device, requires_grad=True)
    leaves, loss = [features, *head.parameters()], DCTCLoss(reduction="sum")
    return {
        "head": step_of(lambda: loss(head(features), *words), leaves),
        "fused head": step_of(
            lambda: loss(LinearLogits.of(features, head.weight, head.bias), *words), leaves
        ),
    }


def launches_of(step: Callable[[], None], device: torch.device) -> int:
    """Return how many operations and kernels a step launches on a device."""
    with Launches(device).counting() as counted:
        step()
    return counted.launches.total()


def words_of(size: Size, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return random targets ``(n, s)``, input lengths and target lengths, both ``(n,)``."""
    n = size.batch
    targets = torch.randint(1, size.classes, (n, LABEL_LENGTH), device=device)
    return targets, torch.full((n,), size.frames), torch.full((n,), LABEL_LENGTH)


def step_of(loss: Callable[[], Tensor], leaves: Sequence[Tensor]) -> Callable[[], None]:
    """Return a step that computes a loss and the gradients of leaves, and drops these."""

    def step() -> None:
        loss().backward()
        for leaf in leaves:
            leaf.grad = None

    return step


def packed_dctc(logits: Tensor, labels: Labels) -> Tensor:
    """Return DCTC of labels that are on the device: all that a CUDA graph can hold."""
    terms = ctc_terms(logits, labels, 0)
    return (terms.nll + 0.1 * terms.distill).sum()


_TORCH_CTC = nn.CTCLoss(reduction="sum", zero_infinity=True)


def _torch_ctc(logits: Tensor, *words: Tensor) -> Tensor:
    """Return torch's own loss, with the log_softmax that it needs."""
    return _TORCH_CTC(logits.log_softmax(2), *words)


def two_pass_dctc(logits: Tensor, *words: Tensor, distill_weight: float = 0.1) -> Tensor:
    """Return the summed loss, nats, written down from the paper: two CTC calls, full temporaries.

    It does not treat infeasible samples or padded frames.

    Args:
        logits: ``(t, n, c)``, all frames valid.
        *words: ``(n, s)`` padded targets with blank 0, ``(n,)`` input and ``(n,)`` target lengths.
        distill_weight: alpha.
    """
    log_probs = logits.log_softmax(2)
    leaf = log_probs.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(_TORCH_CTC(leaf, *words), leaf)
    with torch.no_grad():
        alignment = (gradient / log_probs.exp().clamp(min=1e-8)).argmin(2)  # (t, n)
    distilled = F.nll_loss(log_probs.flatten(0, 1), alignment.flatten(), reduction="sum")
    return _TORCH_CTC(log_probs, *words) + distill_weight * distilled


def loss_table(measured: dict[str, Any]) -> Table:
    """Return the table of what :func:`bench_loss` has written."""
    rows, on_cpu = [], not gpu(measured)
    # older files lack some columns, and CPUs have no launches and graphs
    counted = all("launches" in row for row in measured["rows"])
    graphs = all("graph_s" in row for row in measured["rows"])
    heads = all("head" in row["median_s"] for row in measured["rows"])
    for row in measured["rows"]:
        size, seconds, peak = row["size"], row["median_s"], row["peak_bytes"]
        cells = [f"{size['classes']:,}", f"{size['frames']} x {size['batch']}"]
        cells += [str(row["threads"])] if on_cpu else []
        cells += [f"{seconds[name] / seconds[PEER]:.2f}" for name in ("CTC", "DCTC", "two-pass")]
        cells.append(f"{peak['DCTC'] / peak[PEER]:.2f}")
        cells += [f"{row['graph_s']['DCTC'] / seconds[PEER]:.2f}"] if graphs else []
        if heads:
            cells += [f"{of['fused head'] / of['head']:.2f}" for of in (seconds, peak)]
        rows.append(cells + ([str(row["launches"]["DCTC"])] if counted else []))
    note = (
        "Forward and backward as multiples of torch.nn.CTCLoss with log_softmax: medians of "
        f"interleaved runs, and peak memory beyond the logits; labels of {LABEL_LENGTH} "
        f"characters. CTC is dctc.CTCLoss. {measured_on(measured, threads=False)}."
    )
    title = f"Time and memory of the losses{'' if on_cpu else ' on a GPU'}"
    columns = ["classes", "frames x batch", *(["threads"] if on_cpu else []), "CTC", "DCTC"]
    columns += ["plain two-pass DCTC", "peak memory, DCTC"]
    columns += ["DCTC as CUDA graph"] if graphs else []
    columns += ["fused head, time", "fused head, memory"] if heads else []
    columns += ["launches, DCTC"] if counted else []
    if heads:
        note += (
            f" Fused head: DCTC that computes the last linear layer, of {FEATURES} features, "
            f"relative to that layer and then DCTC."
        )
    if graphs:
        note += (
            " Times are between CUDA events. The graph is DCTC without the time that Python and "
            "the packing of labels take, relative to torch's loss as it is called."
        )
    return Table(title, columns, rows, [note])
