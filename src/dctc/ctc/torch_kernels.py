"""Normaliser and gradient of the logits in torch operations, for any device; the reference.

They go block by block on a CPU, so that a block stays in the cache between its operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.estimators import best_candidate
from dctc.ctc.lattice import forward_backward
from dctc.ctc.threads import on_few_threads

__all__ = [
    "Normaliser",
    "best_candidate",
    "compute_dtype",
    "forward_backward",
    "gradient",
    "normalise",
]

# Elements of a block on a CPU: 2 MiB of float32, about what cores keep in their caches.
BLOCK = 2**19


class Normaliser(NamedTuple):
    """The softmax denominator of each frame, in two parts that lose nothing near P = 1.

    Attributes:
        peak: ``(t, n)`` the largest logit.
        rest: ``(t, n)`` float64, sum of exp(s (x_k - peak)) over the other classes.
        above: ``(t, n, c)``, exp(s (x_k - peak)), if it was to be kept.
    """

    peak: Tensor
    rest: Tensor
    above: Tensor | None = None

    def log_probs(self, logits: Tensor, scale: float) -> Tensor:
        """Return float64 log probabilities of some logits ``(t, n, k)`` of each frame."""
        above = (logits.double() - self.peak.double()[:, :, None]) * scale
        return above - torch.log1p(self.rest)[:, :, None]


def compute_dtype(logits: Tensor) -> torch.dtype:
    """Return float64 for float64 logits, float32 for all others."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def normalise(logits: Tensor, scale: float, keep: bool = False) -> Normaliser:
    """Return the normaliser of ``(t, n, c)`` logits times the scale; NaN where a frame has none.

    Args:
        logits: ``(t, n, c)``.
        scale: Factor s on the logits.
        keep: Whether to keep the exponentials for the gradient, if they are few.
    """
    t, n, _ = logits.shape
    dtype = compute_dtype(logits)
    peak = torch.empty((t, n), dtype=dtype, device=logits.device)
    rest = torch.empty((t, n), dtype=torch.float64, device=logits.device)
    for frames in _blocks(logits):
        block = logits[frames].to(dtype)  # (b, n, c)
        peak[frames] = block.amax(2)
        above = torch.sub(block, peak[frames, :, None])
        if scale != 1.0:
            above.mul_(scale)
        # the peak adds exactly 1; the others are summed in float64, so that it can be taken off
        rest[frames] = above.exp_().sum(2, dtype=torch.float64).sub_(1.0)
    return Normaliser(peak, rest, above if keep and logits.numel() <= BLOCK else None)


def gradient(
    logits: Tensor,
    normaliser: Normaliser,
    p_weight: Tensor,
    alignment: Tensor | None,
    at_alignment: Tensor,
    columns: Tensor,
    column_weights: Tensor,
    scale: float,
    out: Tensor | None = None,
) -> Tensor:
    """Write ``p_weight * P``, another value at z*, and add the weights of the candidate classes.

    Args:
        logits: ``(t, n, c)``.
        normaliser: Of the logits.
        p_weight: ``(t, n)`` float64.
        alignment: ``(t, n)`` z*; None if ``p_weight * P`` stands there too.
        at_alignment: ``(t, n)`` float64, what stands at z*; computed apart, since with a margin
            it is a small difference of large numbers.
        columns: ``(t, n, s + 1)`` the candidate classes.
        column_weights: ``(t, n, s + 1)`` float64.
        scale: Factor s on the logits.
        out: Where to write it, of the shape and type of the logits; it may be the logits.
    """
    dtype = compute_dtype(logits)
    idle = p_weight == 0.0
    some_idle = bool(idle.any())  # to look for them takes as long as a pass
    factor = (scale * p_weight / (1.0 + normaliser.rest)).to(dtype)
    at_alignment = (scale * at_alignment).to(dtype)
    with on_few_threads(logits.device, 2 * column_weights.numel()):
        column_weights = (scale * column_weights).to(dtype)
    gradient = torch.empty_like(logits) if out is None else out
    for frames in _blocks(logits):
        # half precision is added up in float32 before it is written
        block = gradient[frames] if logits.dtype == dtype else gradient[frames].to(dtype)
        if normaliser.above is None:
            torch.sub(logits[frames], normaliser.peak[frames, :, None], out=block)
            if scale != 1.0:
                block.mul_(scale)
            block.exp_().mul_(factor[frames, :, None])
        else:
            torch.mul(normaliser.above[frames], factor[frames, :, None], out=block)
        if some_idle:
            block[idle[frames]] = 0.0  # whatever the logits are, NaN too
        if alignment is not None:
            z = alignment[frames].clamp(min=0)[:, :, None]
            block.scatter_(2, z, at_alignment[frames, :, None])
        block.scatter_add_(2, columns[frames], column_weights[frames])
        if block.dtype != gradient.dtype:
            gradient[frames] = block.to(gradient.dtype)
    return gradient


def _blocks(logits: Tensor) -> Iterator[slice]:
    t, n, c = logits.shape
    step = max(1, BLOCK // (n * c)) if logits.device.type == "cpu" else t
    return (slice(i, i + step) for i in range(0, t, step))
