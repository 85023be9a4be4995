"""The class of the best score of each frame as a Triton kernel; see :mod:`dctc.ctc.alignment`.

Each frame is one program. The rule is that of :func:`dctc.ctc.alignment.best_candidate`, which is
its reference, NaN and infinities included.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from dctc.ctc.alignment import PROBABILITY_FLOOR, TIE
from dctc.ctc.labels import Labels


def best_candidate(
    posterior: Tensor, emissions: Tensor, labels: Labels, blank: int, likelihood: bool
) -> Tensor:
    """Return the class of the best score; see :func:`dctc.ctc.alignment.best_candidate`."""
    t, n, width = emissions.shape
    alignment = torch.empty((t, n), dtype=torch.int64, device=emissions.device)
    with torch.cuda.device_of(emissions):
        _best_candidate[(t * n,)](
            posterior.contiguous(),
            emissions.contiguous(),
            labels.classes.contiguous(),
            alignment,
            n,
            width,
            blank,
            likelihood,
            PROBABILITY_FLOOR,
            TIE,
            triton.next_power_of_2(width),
            num_warps=1,
        )
    return alignment


@triton.jit
def _best_candidate(
    posterior: tl.tensor,
    emissions: tl.tensor,
    classes: tl.tensor,
    alignment: tl.tensor,
    n: tl.tensor,
    width: tl.tensor,
    blank: tl.tensor,
    LIKELIHOOD: tl.constexpr,
    FLOOR: tl.constexpr,
    TIE: tl.constexpr,
    COLUMNS: tl.constexpr,
) -> None:
    frame = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, COLUMNS)
    inside = j < width
    log_p = tl.load(emissions + frame * width + j, mask=inside, other=-float("inf"))
    score = tl.load(posterior + frame * width + j, mask=inside, other=-float("inf"))
    if LIKELIHOOD:
        p = tl.exp(log_p)
        floor = tl.full((), FLOOR, tl.float64)  # as it stands it would be a float32
        score = tl.where(inside, (score - p) / tl.maximum(p, floor), -float("inf"))

    tie = tl.full((), TIE, tl.float64)
    # a maximum with NaN is NaN for torch, and no score is less than that
    best = tl.max(score, 0)
    known = tl.max((score != score).to(tl.int32), 0) == 0
    less = known & (score < best - tie * tl.maximum(tl.abs(best), 1.0))
    likely = tl.where(less, -float("inf"), log_p)
    known = tl.max((likely != likely).to(tl.int32), 0) == 0
    less = known & (likely < tl.max(likely, 0) - tie)

    own = tl.load(classes + (frame % n) * (width - 1) + j - 1, mask=inside & (j > 0), other=blank)
    taken = tl.where(inside & (less == 0), own, 2**62)
    tl.store(alignment + frame, tl.min(taken, 0))
