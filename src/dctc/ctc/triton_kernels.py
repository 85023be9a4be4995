"""Normaliser and gradient of the logits as Triton kernels, for a GPU.

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

from dctc.ctc.torch_kernels import Normaliser, compute_dtype
from dctc.ctc.triton_lattice import best_candidate, forward_backward

__all__ = ["best_candidate", "forward_backward", "gradient", "normalise"]

CLASSES = 1024  # classes that a program takes at once


def normalise(logits: Tensor, scale: float, keep: bool = False) -> Normaliser:
    """Return the normaliser of ``(t, n, c)`` logits times the scale; NaN where a frame has none."""
    t, n, c = logits.shape
    peak = torch.empty((t, n), dtype=compute_dtype(logits), device=logits.device)
    rest = torch.empty((t, n), dtype=torch.float64, device=logits.device)
    with torch.cuda.device_of(logits):
        _normalise[(t * n,)](logits, *logits.stride(), peak, rest, n, c, scale, CLASSES)
    return Normaliser(peak, rest)


def gradient(
    logits: Tensor,
    normaliser: Normaliser,
    p_weight: Tensor,
    alignment: Tensor | None,
    at_alignment: Tensor,
    columns: Tensor,
    column_weights: Tensor,
    scale: float,
    out: Tensor | None = None,  # not in place: the kernel reads candidates again after it wrote
) -> Tensor:
    """Do what :func:`dctc.ctc.torch_kernels.gradient` does, with the same arguments.

    Of columns of the same class at most one may have another weight than 0, as
    :func:`dctc.ctc.triton_lattice.forward_backward` guarantees.
    """
    t, n, c = logits.shape
    width = columns.shape[2]
    dtype = compute_dtype(logits)
    idle = p_weight == 0.0
    factor = (scale * p_weight / (1.0 + normaliser.rest)).masked_fill(idle, 0.0).to(dtype)
    at_alignment = (scale * at_alignment).to(dtype)
    out = torch.empty_like(logits)
    with torch.cuda.device_of(logits):
        _gradient[(t * n,)](
            logits, *logits.stride(), out, *out.stride(), normaliser.peak, factor.contiguous(),
            None if alignment is None else alignment.contiguous(), at_alignment.contiguous(),
            columns, *columns.stride(), (scale * column_weights).to(dtype).contiguous(),
            n, c, width, scale, alignment is not None, CLASSES, triton.next_power_of_2(width),
        )  # fmt: skip
    return out


@triton.jit
def _normalise(
    logits: tl.tensor, stride_t: tl.tensor, stride_n: tl.tensor, stride_c: tl.tensor,
    peaks: tl.tensor, rests: tl.tensor, n: tl.tensor, c: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    CLASSES: tl.constexpr,
) -> None:  # fmt: skip
    frame = tl.program_id(0).to(tl.int64)
    dtype = peaks.dtype.element_ty
    row = logits + (frame // n) * stride_t + (frame % n) * stride_n
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
    tl.store(peaks + frame, peak)
    # an infinite peak has no softmax: inf - inf is NaN
    tl.store(rests + frame, rest + (peak - peak).to(tl.float64))


@triton.jit
def _gradient(
    logits: tl.tensor, stride_t: tl.tensor, stride_n: tl.tensor, stride_c: tl.tensor,
    out: tl.tensor, out_stride_t: tl.tensor, out_stride_n: tl.tensor, out_stride_c: tl.tensor,
    peaks: tl.tensor, factors: tl.tensor, alignment: tl.tensor, at_alignment: tl.tensor,
    columns: tl.tensor, column_stride_t: tl.tensor, column_stride_n: tl.tensor,
    column_stride_s: tl.tensor, column_weights: tl.tensor,
    n: tl.tensor, c: tl.tensor, width: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    HAS_ALIGNMENT: tl.constexpr, CLASSES: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    frame = tl.program_id(0).to(tl.int64)
    t, sample = frame // n, frame % n
    dtype = peaks.dtype.element_ty
    row = logits + t * stride_t + sample * stride_n
    out_row = out + t * out_stride_t + sample * out_stride_n
    peak = tl.load(peaks + frame)
    factor = tl.load(factors + frame)
    at_z = tl.load(at_alignment + frame)

    lane = tl.arange(0, CLASSES).to(tl.int64)
    for start in range(0, c, CLASSES):
        k = start + lane
        x = tl.load(row + k * stride_c, mask=k < c, other=-float("inf")).to(dtype)
        value = tl.where(factor == 0.0, 0.0, tl.exp((x - peak) * scale) * factor)
        if HAS_ALIGNMENT:
            value = tl.where(k == tl.load(alignment + frame), at_z, value)
        tl.store(out_row + k * out_stride_c, value.to(out.dtype.element_ty), mask=k < c)

    # The candidate classes are written a second time, with their weights: what is added is the
    # value before it was rounded to half precision. The barrier keeps the order of the two stores,
    # which different threads make.
    tl.debug_barrier()
    j = tl.arange(0, COLUMNS).to(tl.int64)
    weight = tl.load(column_weights + frame * width + j, mask=j < width, other=0.0)
    some = weight != 0.0
    candidate = columns + t * column_stride_t + sample * column_stride_n + j * column_stride_s
    k = tl.load(candidate, mask=some, other=0)
    x = tl.load(row + k * stride_c, mask=some, other=-float("inf")).to(dtype)
    value = tl.where(factor == 0.0, 0.0, tl.exp((x - peak) * scale) * factor)
    if HAS_ALIGNMENT:
        value = tl.where(k == tl.load(alignment + frame), at_z, value)
    value += weight
    tl.store(out_row + k * out_stride_c, value.to(out.dtype.element_ty), mask=some)
