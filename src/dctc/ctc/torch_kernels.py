"""Log probabilities and gradient of the logits in torch operations, for any device; the reference.

They go block by block on a CPU, so that a block stays in the cache between its operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.distil import FrameTerms, FrameWeights, Options, distil
from dctc.ctc.estimators import NO_CLASS, best_candidate
from dctc.ctc.labels import Labels, candidate_classes, valid_frames
from dctc.ctc.lattice import forward_backward, readable, samples_last
from dctc.ctc.threads import on_few_threads

# Elements of a block on a CPU: 1 MiB of float32, which stays in a core's cache. Logits of up to two
# blocks are one, and keep their exponentials.
BLOCK = 2**18


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


def emissions(
    logits: Tensor, labels: Labels, blank: int, scale: float, keep: bool = False
) -> tuple[Normaliser, Tensor]:
    """Return normaliser and log probabilities of the candidate classes, ``(t, n, s + 1)`` float64.

    Args:
        logits: ``(t, n, c)``. A frame without a softmax has NaN.
        labels: The labels.
        blank: Class of the blank.
        scale: Factor s on the logits.
        keep: Whether to keep the exponentials for the gradient, if they are few.
    """
    t, n, _ = logits.shape
    dtype = compute_dtype(logits)
    peak = torch.empty((t, n), dtype=dtype, device=logits.device)
    rest = torch.empty((t, n), dtype=torch.float64, device=logits.device)
    blocks = _blocks(logits)
    memory = logits.new_empty(logits[blocks[0]].shape, dtype=dtype)  # (b, n, c), of all blocks
    for frames in blocks:
        block = logits[frames].to(dtype)
        peak[frames] = block.amax(2)
        above = torch.sub(block, peak[frames, :, None], out=memory[: len(block)])
        if scale != 1.0:
            above.mul_(scale)
        # the peak adds exactly 1; the others are summed in float64, so that it can be taken off
        rest[frames] = above.exp_().sum(2, dtype=torch.float64).sub_(1.0)
    kept = memory if keep and logits.numel() <= 2 * BLOCK else None
    normaliser = Normaliser(peak, rest, kept)
    columns = candidate_classes(labels, blank).expand(t, -1, -1)
    with on_few_threads(logits.device, 2 * columns.numel()):
        found = normaliser.log_probs(logits.gather(2, columns), scale)
        return normaliser, samples_last(found)


def frame_terms(
    emissions: Tensor,
    labels: Labels,
    options: Options,
    dtype: torch.dtype,
    given: tuple[Tensor, Tensor] | None,
    chosen: Callable[[Tensor], Tensor],
) -> FrameTerms:
    """Compute both terms of DCTC, and what their gradient is made of.

    Args:
        emissions: ``(t, n, s + 1)`` float64, log probabilities of the candidate classes.
        labels: The labels.
        options: Options of both terms.
        dtype: Of both terms.
        given: ``(t, n)`` classes in place of z* and their log probabilities in float64; None to
            estimate it by likelihood or posterior, or to leave it out.
        chosen: Returns the log probabilities of an alignment; those of class 0 for -1.
    """
    lattice = forward_backward(emissions, labels)
    if given is None:
        if options.estimator is None:
            alignment = torch.full_like(emissions[:, :, 0], NO_CLASS, dtype=torch.long)
        else:
            likelihood, posterior = options.estimator == "likelihood", lattice.posterior
            best = best_candidate(posterior, emissions, labels, options.blank, likelihood)
            alignment = best.where(valid_frames(labels, len(best)), NO_CLASS)
        given = alignment, chosen(alignment)
    distill, weights = distil(*given[::-1], lattice, labels, options)
    nll, distill = lattice.nll.to(dtype), distill.to(dtype)
    return FrameTerms(nll, distill, readable(lattice, labels), weights)


def gradient(
    logits: Tensor,
    normaliser: Normaliser,
    weights: FrameWeights,
    labels: Labels,
    blank: int,
    grad_nll: Tensor | None,
    grad_distill: Tensor | None,
    scale: float,
    out: Tensor | None = None,
) -> Tensor:
    """Return the gradient of the logits, ``(t, n, c)``, from those of both terms.

    Args:
        logits: ``(t, n, c)``.
        normaliser: Of the logits.
        weights: What the forward pass found for these frames.
        labels: The labels.
        blank: Class of the blank.
        grad_nll: ``(n,)`` gradient of the first term, or None.
        grad_distill: ``(n,)`` that of the cross-entropy, or None.
        scale: Factor s on the logits.
        out: Where to write it, of the shape and type of the logits; it may be the logits.
    """
    with on_few_threads(logits.device, 2 * weights.posterior.numel()):
        p_weight, alignment, at_alignment, column_weights = weights.combined(grad_nll, grad_distill)
    columns = candidate_classes(labels, blank).expand(len(logits), -1, -1)
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


def _blocks(logits: Tensor) -> list[slice]:
    t, n, c = logits.shape
    whole = logits.device.type != "cpu" or logits.numel() <= 2 * BLOCK
    step = t if whole else max(1, BLOCK // (n * c))
    return [slice(i, i + step) for i in range(0, t, step)]
