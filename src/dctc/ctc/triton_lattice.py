"""Both terms of DCTC as two Triton kernels, in float64.

A program runs forward-backward for one sample, or chooses the class of one frame and says what it
adds to both terms. The reference is :func:`dctc.ctc.torch_kernels.frame_terms`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import triton
import triton.language as tl
from torch import Tensor

from dctc.ctc.distil import FrameTerms, FrameWeights, Options
from dctc.ctc.estimators import PROBABILITY_FLOOR, TIE
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import IMPOSSIBLE

# Columns of a lattice that one warp takes; longer labels get more warps, 8 at most.
COLUMNS_PER_WARP = 64


def frame_terms(
    emissions: Tensor,
    labels: Labels,
    options: Options,
    dtype: torch.dtype,
    given: tuple[Tensor, Tensor] | None,
    chosen: Callable[[Tensor], Tensor] | None = None,  # not used: the kernel reads the emissions
) -> FrameTerms:
    """Do what :func:`dctc.ctc.torch_kernels.frame_terms` does, NaN and infinities included."""
    t, n, width = emissions.shape
    padded = triton.next_power_of_2(width)
    emissions, classes = emissions.contiguous(), labels.classes.contiguous()
    nll = torch.empty(n, dtype=dtype, device=emissions.device)
    read = torch.empty_like(nll, dtype=torch.bool)
    posterior = torch.empty_like(emissions)  # kept for the gradient, the scratch memory is not
    occupancy, *scratch = emissions.new_empty((4, t, n, width))
    mass, log_p, at_z, elsewhere, distill = emissions.new_empty((5, t, n))
    alignment = torch.empty_like(mass, dtype=torch.int64)
    with torch.cuda.device_of(emissions):
        _forward_backward[(n,)](
            emissions, classes, labels.lengths, labels.frames, labels.feasible, *scratch,
            nll, read, occupancy, n, width, padded, IMPOSSIBLE,
            num_warps=min(max(padded // COLUMNS_PER_WARP, 1), 8), num_stages=1,
        )  # fmt: skip
        _frame_terms[(t * n,)](
            occupancy, emissions, classes, labels.lengths, labels.frames, nll, read,
            *((None, None) if given is None else (part.contiguous() for part in given)),
            posterior, mass, alignment, log_p, at_z, elsewhere, distill, n, width, options.blank,
            options.scale * options.margin, given is not None, options.estimator is not None,
            options.estimator == "likelihood", PROBABILITY_FLOOR, TIE, padded, num_warps=1,
        )  # fmt: skip
    weights = FrameWeights(posterior, mass, alignment, log_p, at_z, elsewhere)
    return FrameTerms(nll, distill.sum(0, dtype=dtype), read, weights)


@triton.jit
def _log_add(a: tl.tensor, b: tl.tensor, c: tl.tensor) -> tl.tensor:
    """Return log(exp(a) + exp(b) + exp(c)), -inf if all are, NaN if one is."""
    nothing = (a == -float("inf")) & (b == -float("inf")) & (c == -float("inf"))
    peak = tl.where(nothing, 0.0, tl.maximum(tl.maximum(a, b), c))
    total = tl.exp(a - peak) + tl.exp(b - peak) + tl.exp(c - peak)
    return tl.where(nothing, -float("inf"), peak + tl.log(tl.where(nothing, 1.0, total)))


@triton.jit
def _forward_backward(
    emissions: tl.tensor, classes: tl.tensor, lengths: tl.tensor, frame_counts: tl.tensor,
    feasible: tl.tensor,
    blanks: tl.tensor,  # scratch (t, n, width): the forward variable of the blank after column j
    characters: tl.tensor,  # scratch (t, n, width): that of the character of column j
    onward: tl.tensor,  # scratch (t, n, width): the backward one of the character, with emission
    nlls: tl.tensor, reads: tl.tensor, occupancy: tl.tensor, n: tl.tensor, width: tl.tensor,
    COLUMNS: tl.constexpr, IMPOSSIBLE: tl.constexpr,
) -> None:  # fmt: skip
    """Forward and backward pass over the frames of one sample.

    Lane j holds two states: the character of column j (none for j = 0) and the blank after it. So
    a character is reached from itself and from both states of lane j - 1, a blank from both states
    of its own lane. Another lane's value is stored in memory and loaded again one place further.
    Between the store and that load stands a barrier, since the lane may belong to another thread,
    whose store would otherwise not be sure to have happened. Each row of the scratch memory is
    written once, so that no second barrier is needed to protect what others still have to read.
    """
    sample = tl.program_id(0).to(tl.int64)
    length = tl.minimum(tl.load(lengths + sample), width - 1)  # infeasible labels are cut
    fits = tl.load(feasible + sample)
    frames = tl.where(fits, tl.load(frame_counts + sample), 0)
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
    possible = (frames > 0) & ~(log_p < IMPOSSIBLE)  # NaN is possible, and stays
    tl.store(nlls + sample, tl.where(possible, -log_p, 0.0).to(nlls.dtype.element_ty))
    tl.store(reads + sample, fits & (possible | (frames == 0)))

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
def _expm1(x: tl.tensor) -> tl.tensor:
    """Return exp(x) - 1, exact where x is small (Kahan); NaN stays NaN."""
    u = tl.exp(x)
    return tl.where(u == 1.0, x, tl.where(u - 1.0 == -1.0, -1.0, (u - 1.0) * x / tl.log(u)))


@triton.jit
def _frame_terms(
    occupancy: tl.tensor, emissions: tl.tensor, classes: tl.tensor, lengths: tl.tensor,
    frame_counts: tl.tensor, nlls: tl.tensor, reads: tl.tensor,
    given: tl.tensor, given_log_p: tl.tensor,
    posterior: tl.tensor, masses: tl.tensor, alignment: tl.tensor, chosen: tl.tensor,
    at_zs: tl.tensor, elsewheres: tl.tensor, distills: tl.tensor,
    n: tl.tensor, width: tl.tensor, blank: tl.tensor,
    margin: tl.constexpr,  # as an argument it would arrive in float32
    GIVEN: tl.constexpr, ESTIMATE: tl.constexpr, LIKELIHOOD: tl.constexpr, FLOOR: tl.constexpr,
    TIE: tl.constexpr, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    """Posterior, z* and cross-entropy of one frame."""
    frame = tl.program_id(0).to(tl.int64)
    sample = frame % n
    valid = tl.load(reads + sample) & (frame // n < tl.load(frame_counts + sample))
    length = tl.where(valid, tl.minimum(tl.load(lengths + sample), width - 1), 0)
    j = tl.arange(0, COLUMNS)
    inside = j < width
    is_character = (j >= 1) & (j <= length)
    label = classes + sample * (width - 1)

    # the columns of equal characters are summed, in order, into the first; the others are 0
    own = tl.load(label + j - 1, mask=is_character, other=-1)
    row = occupancy + frame * width
    of_blanks = tl.load(row + j, mask=valid & (j == 0), other=0.0)
    total = tl.where(j == 0, of_blanks, tl.zeros((COLUMNS,), tl.float64))
    is_repeat = j > length
    for i in range(1, length + 1):
        same = is_character & (own == tl.load(label + i - 1))
        total += tl.where(same, tl.load(row + i), 0.0)
        is_repeat = is_repeat | (same & (i < j))
    gamma = tl.where(is_repeat | (total != total), 0.0, tl.minimum(total, 1.0))
    tl.store(posterior + frame * width + j, gamma, mask=inside)
    # NaN stays NaN
    mass = tl.sum(gamma, 0) + tl.where(valid, 0.0 * tl.load(nlls + sample).to(tl.float64), 0.0)
    tl.store(masses + frame, mass)

    if GIVEN:
        z = tl.load(given + frame)
        log_p_z = tl.load(given_log_p + frame)
    elif not ESTIMATE:
        z = tl.full((), -1, tl.int64)
        log_p_z = tl.full((), 0.0, tl.float64)
    else:
        log_p = tl.load(emissions + frame * width + j, mask=inside, other=-float("inf"))
        score = tl.where(inside, gamma, -float("inf"))
        if LIKELIHOOD:
            p = tl.exp(log_p)
            floor = tl.full((), FLOOR, tl.float64)  # as it stands it would be a float32
            score = tl.where(inside, (gamma - p) / tl.maximum(p, floor), -float("inf"))
        tie = tl.full((), TIE, tl.float64)
        # a maximum with NaN is NaN for torch, and no score is less than that
        best = tl.max(score, 0)
        known = tl.max((score != score).to(tl.int32), 0) == 0
        less = known & (score < best - tie * tl.maximum(tl.abs(best), 1.0))
        likely = tl.where(less, -float("inf"), log_p)
        known = tl.max((likely != likely).to(tl.int32), 0) == 0
        less = known & (likely < tl.max(likely, 0) - tie)
        k = tl.load(label + j - 1, mask=inside & (j > 0), other=blank)
        z = tl.min(tl.where(inside & (less == 0), k, 2**62), 0)
        column = tl.min(tl.where(inside & (k == z), j, COLUMNS), 0)
        log_p_z = tl.sum(tl.where(j == column, log_p, 0.0), 0)  # of one lane: it keeps a NaN

    idle = (mass == 0.0) | (valid == 0)
    z = tl.where(idle, -1, z)
    off = z == -1
    value = -log_p_z
    at_z = _expm1(log_p_z)
    elsewhere = tl.full((), 1.0, tl.float64)
    if margin != 0.0:
        lowered = tl.exp(log_p_z - margin)
        whole = lowered - at_z  # what sums to 1 without the margin
        value = margin - log_p_z + tl.log(whole)
        at_z = lowered / whole - 1.0
        elsewhere = 1.0 / whole
    tl.store(alignment + frame, z)
    tl.store(chosen + frame, tl.where(mass == 0.0, 0.0, log_p_z))
    tl.store(at_zs + frame, tl.where(off, 0.0, at_z))
    tl.store(elsewheres + frame, tl.where(off, 0.0, elsewhere))
    tl.store(distills + frame, tl.where(off, 0.0, value))
