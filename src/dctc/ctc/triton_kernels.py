"""The passes over the logits and the lattice as Triton kernels, for a GPU.

Each frame is one program of the normaliser and of the gradient; each sample is one program of the
lattice. The logits are read as they are stored and computed in float32 (float64 logits in float64);
the lattice is in float64. No kernel uses atomics, so equal inputs give equal bits.

The functions have the signatures of :mod:`dctc.ctc.torch_kernels`, which is their reference.
Importing this module imports triton. Where TRITON_INTERPRET is 1 at that time, the kernels run in
Triton's interpreter, which takes tensors of the CPU.
"""

from __future__ import annotations

import warnings
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from dctc.ctc.labels import Labels
from dctc.ctc.lattice import Lattice
from dctc.ctc.torch_kernels import Normaliser, compute_dtype
from dctc.ctc.triton_alignment import best_candidate

__all__ = [
    "best_candidate",
    "forward_backward",
    "gradient",
    "normalise",
    "require",
    "work_on",
]

CLASSES = 1024  # classes that a program takes at once
# Columns of a lattice that one warp takes; longer labels get more warps, 8 at most.
COLUMNS_PER_WARP = 64


def require(device: torch.device) -> None:
    """Refuse a device that the kernels do not run on.

    Raises:
        RuntimeError: If it is not a GPU, outside the interpreter.
    """
    interpreted = not isinstance(_normalise, triton.JITFunction)
    if device.type != "cuda" and not interpreted:
        raise RuntimeError(
            f"Triton kernels: the logits are on {device.type}; a GPU is needed, or "
            "TRITON_INTERPRET=1 in the environment before the first loss"
        )


@cache
def work_on(device: torch.device) -> bool:
    """Return whether a kernel can be compiled and run there; if not, warn once.

    Triton may be installed and yet of no use: a GPU older than it supports, no C compiler.
    """
    try:
        normalise(torch.zeros((1, 1, 2), device=device), 1.0)
    except Exception as error:  # whatever the compiler, its tools or the driver raise
        warnings.warn(
            f"Triton does not run on {device} ({type(error).__name__}: {error}); torch operations "
            "are used instead. DCTC_KERNELS=torch asks for them from the start.",
            stacklevel=2,
        )
        return False
    return True


def normalise(logits: Tensor, scale: float) -> Normaliser:
    """Return the normaliser of ``(t, n, c)`` logits times the scale; NaN where a frame has none."""
    t, n, c = logits.shape
    peak = torch.empty((t, n), dtype=compute_dtype(logits), device=logits.device)
    rest = torch.empty((t, n), dtype=torch.float64, device=logits.device)
    with torch.cuda.device_of(logits):
        _normalise[(t * n,)](logits, *logits.stride(), peak, rest, n, c, scale, CLASSES)
    return Normaliser(peak, rest)


def forward_backward(emissions: Tensor, labels: Labels) -> Lattice:
    """Run forward-backward over the lattice of each label; not differentiable.

    Args:
        emissions: ``(t, n, s + 1)`` float64 log probabilities of the candidate classes.
        labels: The labels.
    """
    t, n, width = emissions.shape
    padded = triton.next_power_of_2(width)
    nll = emissions.new_zeros(n)
    occupancy = torch.zeros_like(emissions, memory_format=torch.contiguous_format)
    posterior = torch.empty_like(occupancy)
    scratch = emissions.new_empty((3, t, n, width))
    classes = labels.classes.contiguous()
    with torch.cuda.device_of(emissions):
        _forward_backward[(n,)](
            emissions.contiguous(),
            classes,
            labels.lengths,
            labels.frames,
            labels.feasible,
            *scratch.unbind(),
            nll,
            occupancy,
            n,
            width,
            padded,
            num_warps=min(max(padded // COLUMNS_PER_WARP, 1), 8),
            num_stages=1,
        )
        _merge_repeats[(t * n,)](
            occupancy, classes, labels.lengths, posterior, n, width, padded, num_warps=1
        )
    return Lattice(nll, posterior)


def gradient(
    logits: Tensor,
    normaliser: Normaliser,
    p_weight: Tensor,
    alignment: Tensor | None,
    at_alignment: Tensor,
    columns: Tensor,
    column_weights: Tensor,
    scale: float,
) -> Tensor:
    """Write ``p_weight * P``, another value at z*, and add the weights of the candidate classes.

    Args:
        logits: ``(t, n, c)``.
        normaliser: Of the logits.
        p_weight: ``(t, n)`` float64.
        alignment: ``(t, n)`` z*; None if ``p_weight * P`` stands there too.
        at_alignment: ``(t, n)`` float64, what stands at z*.
        columns: ``(t, n, s + 1)`` the candidate classes.
        column_weights: ``(t, n, s + 1)`` float64; of columns of the same class at most one may
            have another weight than 0, as :func:`forward_backward` sees to.
        scale: Factor s on the logits.
    """
    t, n, c = logits.shape
    width = columns.shape[2]
    dtype = compute_dtype(logits)
    idle = p_weight == 0.0
    factor = (scale * p_weight / (1.0 + normaliser.rest)).masked_fill(idle, 0.0).to(dtype)
    at_alignment = (scale * at_alignment).masked_fill(idle, 0.0).to(dtype)
    out = torch.empty_like(logits)
    with torch.cuda.device_of(logits):
        _gradient[(t * n,)](
            logits,
            *logits.stride(),
            out,
            *out.stride(),
            normaliser.peak,
            factor.contiguous(),
            None if alignment is None else alignment.contiguous(),
            at_alignment.contiguous(),
            columns,
            *columns.stride(),
            (scale * column_weights).to(dtype).contiguous(),
            n,
            c,
            width,
            scale,
            alignment is not None,
            CLASSES,
            triton.next_power_of_2(width),
        )
    return out


@triton.jit
def _normalise(
    logits: tl.tensor,
    stride_t: tl.tensor,
    stride_n: tl.tensor,
    stride_c: tl.tensor,
    peaks: tl.tensor,
    rests: tl.tensor,
    n: tl.tensor,
    c: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    CLASSES: tl.constexpr,
) -> None:
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
def _log_add(a: tl.tensor, b: tl.tensor, c: tl.tensor) -> tl.tensor:
    """Return log(exp(a) + exp(b) + exp(c)), -inf if all are, NaN if one is."""
    nothing = (a == -float("inf")) & (b == -float("inf")) & (c == -float("inf"))
    peak = tl.where(nothing, 0.0, tl.maximum(tl.maximum(a, b), c))
    total = tl.exp(a - peak) + tl.exp(b - peak) + tl.exp(c - peak)
    return tl.where(nothing, -float("inf"), peak + tl.log(tl.where(nothing, 1.0, total)))


@triton.jit
def _forward_backward(
    emissions: tl.tensor,
    classes: tl.tensor,
    lengths: tl.tensor,
    frame_counts: tl.tensor,
    feasible: tl.tensor,
    blanks: tl.tensor,  # scratch (t, n, width): the forward variable of the blank after column j
    characters: tl.tensor,  # scratch (t, n, width): that of the character of column j
    onward: tl.tensor,  # scratch (t, n, width): the backward one of the character, with emission
    nlls: tl.tensor,
    occupancy: tl.tensor,
    n: tl.tensor,
    width: tl.tensor,
    COLUMNS: tl.constexpr,
) -> None:
    """Run over the frames of one sample, forth and back.

    Lane j holds two states: the character of column j (none for j = 0) and the blank after it. So
    a character is reached from itself and from both states of lane j - 1, a blank from both states
    of its own lane. Another lane's value is stored in memory and loaded again one place further.
    Between the store and that load stands a barrier, since the lane may belong to another thread,
    whose store would otherwise not be sure to have happened. Each row of the scratch memory is
    written once, so that no second barrier is needed to protect what others still have to read.
    """
    sample = tl.program_id(0).to(tl.int64)
    length = tl.load(lengths + sample)
    frames = tl.where(tl.load(feasible + sample), tl.load(frame_counts + sample), 0)
    j = tl.arange(0, COLUMNS)
    is_character = (j >= 1) & (j <= length)
    inside = j <= length

    own = tl.load(classes + sample * (width - 1) + j - 1, mask=is_character, other=-1)
    before = tl.load(classes + sample * (width - 1) + j - 2, mask=is_character & (j >= 2), other=-1)
    after = tl.load(classes + sample * (width - 1) + j, mask=j < length, other=-1)
    # equal characters need the blank between them
    from_character = is_character & (own != before)
    to_character = is_character & (j < length) & (own != after)

    nowhere = tl.full((COLUMNS,), -float("inf"), tl.float64)
    blank = nowhere
    character = nowhere
    for frame in range(0, frames):
        row = (frame * n + sample) * width
        emitted_blank = tl.load(emissions + row)
        emitted = tl.load(emissions + row + j, mask=is_character, other=-float("inf"))
        if frame == 0:
            blank = tl.where(j == 0, emitted_blank, -float("inf"))
            character = tl.where(j == 1, emitted, -float("inf"))
        else:
            last = ((frame - 1) * n + sample) * width + j - 1
            from_blank = tl.load(blanks + last, mask=is_character, other=-float("inf"))
            skipped = tl.load(characters + last, mask=from_character, other=-float("inf"))
            blank = _log_add(blank, character, nowhere) + emitted_blank
            character = _log_add(character, from_blank, skipped) + emitted
        tl.store(blanks + row + j, blank, mask=inside)
        tl.store(characters + row + j, character, mask=inside)
        tl.debug_barrier()  # the next frame loads these one lane further

    at_end = _log_add(blank, character, nowhere)
    log_p = tl.sum(tl.where(j == length, at_end, 0.0), 0)  # of one lane: the sum keeps a NaN
    possible = (frames > 0) & (log_p != -float("inf"))
    tl.store(nlls + sample, tl.where(possible, -log_p, 0.0))

    # backward variables without the frame's own emission
    blank = tl.where(j == length, 0.0, nowhere)
    character = tl.where(is_character & (j == length), 0.0, nowhere)
    for back in range(0, tl.where(possible, frames, 0)):
        row = ((frames - 1 - back) * n + sample) * width
        blank_forth = tl.load(blanks + row + j, mask=inside, other=-float("inf"))
        character_forth = tl.load(characters + row + j, mask=inside, other=-float("inf"))
        of_blanks = tl.sum(tl.exp(blank_forth + blank - log_p), 0)
        of_characters = tl.exp(character_forth + character - log_p)
        tl.store(occupancy + row + j, tl.where(j == 0, of_blanks, of_characters), mask=inside)

        emitted = tl.load(emissions + row + j, mask=is_character, other=-float("inf"))
        blank += tl.load(emissions + row)
        character += emitted
        tl.store(onward + row + j, character, mask=inside)
        tl.debug_barrier()  # the next character's value is loaded from the lane after this one
        following = tl.load(onward + row + j + 1, mask=j < length, other=-float("inf"))
        directly = tl.where(to_character, following, -float("inf"))
        character = _log_add(character, blank, directly)
        blank = _log_add(blank, following, nowhere)


@triton.jit
def _merge_repeats(
    occupancy: tl.tensor,
    classes: tl.tensor,
    lengths: tl.tensor,
    posterior: tl.tensor,
    n: tl.tensor,
    width: tl.tensor,
    COLUMNS: tl.constexpr,
) -> None:
    """Sum the columns of equal characters, in order, into the first of them; the others are 0."""
    frame = tl.program_id(0).to(tl.int64)
    sample = frame % n
    length = tl.load(lengths + sample)
    j = tl.arange(0, COLUMNS)
    is_character = (j >= 1) & (j <= length)
    label = classes + sample * (width - 1)
    own = tl.load(label + j - 1, mask=is_character, other=-1)
    row = occupancy + frame * width
    total = tl.where(j == 0, tl.load(row), tl.zeros((COLUMNS,), tl.float64))
    is_repeat = j > length
    for i in range(1, length + 1):
        same = is_character & (own == tl.load(label + i - 1))
        total += tl.where(same, tl.load(row + i), 0.0)
        is_repeat = is_repeat | (same & (i < j))
    total = tl.where(is_repeat | (total != total), 0.0, tl.minimum(total, 1.0))
    tl.store(posterior + frame * width + j, total, mask=j < width)


@triton.jit
def _gradient(
    logits: tl.tensor,
    stride_t: tl.tensor,
    stride_n: tl.tensor,
    stride_c: tl.tensor,
    out: tl.tensor,
    out_stride_t: tl.tensor,
    out_stride_n: tl.tensor,
    out_stride_c: tl.tensor,
    peaks: tl.tensor,
    factors: tl.tensor,
    alignment: tl.tensor,
    at_alignment: tl.tensor,
    columns: tl.tensor,
    column_stride_t: tl.tensor,
    column_stride_n: tl.tensor,
    column_stride_s: tl.tensor,
    column_weights: tl.tensor,
    n: tl.tensor,
    c: tl.tensor,
    width: tl.tensor,
    scale: tl.constexpr,  # as an argument it would arrive in float32
    HAS_ALIGNMENT: tl.constexpr,
    CLASSES: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
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
