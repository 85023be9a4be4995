"""Log probabilities and gradient of the logits as Triton kernels, for a GPU.

Each frame is one program. The logits are read as they are stored and computed in float32 (float64
logits in float64). No kernel uses atomics, so equal inputs give equal bits. The functions have the
signatures of :mod:`dctc.ctc.torch_kernels`, which is their reference. Importing this module imports
triton; where TRITON_INTERPRET is 1 at that time, the kernels run in Triton's interpreter, which
takes tensors of the CPU.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from dctc.ctc.distil import FrameWeights
from dctc.ctc.labels import Labels
from dctc.ctc.torch_kernels import Normaliser, compute_dtype
from dctc.ctc.triton_lattice import frame_terms

__all__ = ["emissions", "frame_terms", "gradient"]

CLASSES = 1024  # classes that a program takes at once


def emissions(
    logits: Tensor, labels: Labels, blank: int, scale: float, keep: bool = False
) -> tuple[Normaliser, Tensor]:
    """Do what :func:`dctc.ctc.torch_kernels.emissions` does; no exponentials are kept."""
    t, n, c = logits.shape
    width = labels.classes.shape[1] + 1
    peak = torch.empty((t, n), dtype=compute_dtype(logits), device=logits.device)
    rest = torch.empty((t, n), dtype=torch.float64, device=logits.device)
    out = rest.new_empty((t, n, width))
    with torch.cuda.device_of(logits):
        _emissions[(t * n,)](
            logits, *logits.stride(), peak, rest, labels.classes.contiguous(), out, n, c, width,
            blank, scale, CLASSES, triton.next_power_of_2(width),
        )  # fmt: skip
    return Normaliser(peak, rest), out


def gradient(
    logits: Tensor,
    normaliser: Normaliser,
    weights: FrameWeights,
    labels: Labels,
    blank: int,
    grad_nll: Tensor | None,
    grad_distill: Tensor | None,
    scale: float,
    out: Tensor | None = None,  # not in place: the kernel reads candidates again after it wrote
) -> Tensor:
    """Do what :func:`dctc.ctc.torch_kernels.gradient` does, with the same arguments.

    Of columns of the same class at most one may have another posterior than 0, as
    :func:`dctc.ctc.triton_lattice.frame_terms` guarantees.
    """
    t, n, c = logits.shape
    width = labels.classes.shape[1] + 1
    out = torch.empty_like(logits)
    strides = [0 if grad is None else grad.stride(0) for grad in (grad_nll, grad_distill)]
    with torch.cuda.device_of(logits):
        _gradient[(t * n,)](
            logits, *logits.stride(), out, *out.stride(), *normaliser[:2],
            labels.classes.contiguous(), *(part.contiguous() for part in weights),
            grad_nll, strides[0], grad_distill, strides[1], n, c, width, blank, scale,
            grad_nll is not None, grad_distill is not None, CLASSES,
            triton.next_power_of_2(width),
        )  # fmt: skip
    return out


@triton.jit
def _emissions(
    logits: tl.tensor, stride_t: tl.tensor, stride_n: tl.tensor, stride_c: tl.tensor,
    peaks: tl.tensor, rests: tl.tensor, classes: tl.tensor, out: tl.tensor,
    n: tl.tensor, c: tl.tensor, width: tl.tensor, blank: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    CLASSES: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """Normaliser of one frame, and log probabilities of its candidate classes."""
    frame = tl.program_id(0).to(tl.int64)
    sample = frame % n
    dtype = peaks.dtype.element_ty
    row = logits + (frame // n) * stride_t + sample * stride_n
    lane = tl.arange(0, CLASSES).to(tl.int64)

    highest = tl.full((CLASSES,), -float("inf"), dtype)
    for start in range(0, c, CLASSES):
        k = start + lane
        x = tl.load(row + k * stride_c, mask=k < c, other=-float("inf")).to(dtype)
        highest = tl.maximum(highest, x)
    peak = tl.max(highest, 0)

    # The classes at the peak add exactly 1 each and are counted apart: the sum of the others keeps
    # its relative accuracy, however small it is.
    total = tl.zeros((CLASSES,), dtype)
    ones = tl.zeros((CLASSES,), tl.int32)
    for start in range(0, c, CLASSES):
        k = start + lane
        x = tl.load(row + k * stride_c, mask=k < c, other=-float("inf")).to(dtype)
        at_peak = x == peak
        ones += at_peak.to(tl.int32)
        total += tl.where(at_peak, 0.0, tl.exp((x - peak) * scale))
    rest = tl.sum(total.to(tl.float64), 0) + (tl.sum(ones, 0) - 1).to(tl.float64)
    # an infinite peak has no softmax: inf - inf is NaN
    rest += (peak - peak).to(tl.float64)
    tl.store(peaks + frame, peak)
    tl.store(rests + frame, rest)

    j = tl.arange(0, COLUMNS).to(tl.int64)
    inside = j < width
    k = tl.load(classes + sample * (width - 1) + j - 1, mask=inside & (j > 0), other=blank)
    x = tl.load(row + k * stride_c, mask=inside, other=0.0).to(tl.float64)
    whole = 1.0 + rest
    # log1p, exact where rest is small (Kahan)
    log_whole = tl.where(whole == 1.0, rest, tl.log(whole) * rest / (whole - 1.0))
    log_p = (x - peak.to(tl.float64)) * scale - log_whole
    tl.store(out + frame * width + j, log_p, mask=inside)


@triton.jit
def _gradient(
    logits: tl.tensor, stride_t: tl.tensor, stride_n: tl.tensor, stride_c: tl.tensor,
    out: tl.tensor, out_stride_t: tl.tensor, out_stride_n: tl.tensor, out_stride_c: tl.tensor,
    peaks: tl.tensor, rests: tl.tensor, classes: tl.tensor, posterior: tl.tensor,
    masses: tl.tensor, alignment: tl.tensor, chosen: tl.tensor, at_zs: tl.tensor,
    elsewheres: tl.tensor, grad_nlls: tl.tensor, nll_stride: tl.tensor,
    grad_distills: tl.tensor, distill_stride: tl.tensor,
    n: tl.tensor, c: tl.tensor, width: tl.tensor, blank: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    HAS_NLL: tl.constexpr, HAS_DISTILL: tl.constexpr, CLASSES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    frame = tl.program_id(0).to(tl.int64)
    t, sample = frame // n, frame % n
    dtype = peaks.dtype.element_ty
    row = logits + t * stride_t + sample * stride_n
    out_row = out + t * out_stride_t + sample * out_stride_n
    peak = tl.load(peaks + frame)
    mass = tl.load(masses + frame)
    beta = tl.full((), 0.0, tl.float64)
    if HAS_NLL:
        beta += tl.load(grad_nlls + sample * nll_stride).to(tl.float64)
    p_weight = beta * mass
    z = tl.full((), -1, tl.int64)
    at_z = tl.full((), 0.0, tl.float64)
    if HAS_DISTILL:
        alpha = tl.load(grad_distills + sample * distill_stride).to(tl.float64)
        p_weight += alpha * tl.load(elsewheres + frame)
        z = tl.load(alignment + frame)
        at_z = beta * mass * tl.exp(tl.load(chosen + frame)) + alpha * tl.load(at_zs + frame)
    at_z = (scale * at_z).to(dtype)
    weighed = scale * p_weight / (1.0 + tl.load(rests + frame))
    factor = tl.where(p_weight == 0.0, 0.0, weighed).to(dtype)

    lane = tl.arange(0, CLASSES).to(tl.int64)
    for start in range(0, c, CLASSES):
        k = start + lane
        x = tl.load(row + k * stride_c, mask=k < c, other=-float("inf")).to(dtype)
        value = tl.where(factor == 0.0, 0.0, tl.exp((x - peak) * scale) * factor)
        if HAS_DISTILL:
            value = tl.where(k == z, at_z, value)
        tl.store(out_row + k * out_stride_c, value.to(out.dtype.element_ty), mask=k < c)

    # The candidate classes are written a second time, with their weights: what is added is the
    # value before it was rounded to half precision. The barrier keeps the order of the two stores,
    # which different threads make.
    tl.debug_barrier()
    j = tl.arange(0, COLUMNS).to(tl.int64)
    gamma = tl.load(posterior + frame * width + j, mask=j < width, other=0.0)
    weight = (-scale * beta * gamma).to(dtype)
    some = weight != 0.0
    k = tl.load(classes + sample * (width - 1) + j - 1, mask=some & (j > 0), other=blank)
    x = tl.load(row + k * stride_c, mask=some, other=-float("inf")).to(dtype)
    value = tl.where(factor == 0.0, 0.0, tl.exp((x - peak) * scale) * factor)
    if HAS_DISTILL:
        value = tl.where(k == z, at_z, value)
    value += weight
    tl.store(out_row + k * out_stride_c, value.to(out.dtype.element_ty), mask=some)
