"""Both terms of DCTC and their gradient from one forward-backward.

With P = softmax(s x) and the posterior gamma, the gradient of beta CTC + alpha CE with respect to
s x is (alpha + beta) P - beta gamma - alpha onehot(z*): everything that the lattice gives is enough
to write it down. So the logits are passed over twice: once for the normaliser of each frame, once
to write the gradient, which is the one tensor of their size that is made. Both passes go block by
block, so that a block stays in the cache between its operations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dctc.ctc.alignment import NO_CLASS, Estimator, estimate_alignment
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import (
    candidate_classes,
    forward_backward,
    refuse_second_derivative,
    valid_frames,
)

# Elements of a block on a CPU: 1 MiB of float32. Of 2**16 to 2**22 the fastest at 7,935 classes.
BLOCK = 2**18


class Options(NamedTuple):
    """What the terms depend on besides logits and labels.

    Attributes:
        blank: Class of the blank.
        estimator: How z* is estimated; None leaves the cross-entropy out.
        alignment: ``(t, n)`` classes to distil towards in place of the estimate.
        margin: Additive margin m on the logit of z*, in the cross-entropy only.
        scale: Factor s on the logits, positive.
    """

    blank: int
    estimator: Estimator | None
    alignment: Tensor | None = None
    margin: float = 0.0
    scale: float = 1.0


class Normaliser(NamedTuple):
    """The softmax denominator of each frame, in two parts that lose nothing near P = 1.

    Attributes:
        peak: ``(t, n)`` the largest logit.
        rest: ``(t, n)`` float64, sum of exp(s (x_k - peak)) over the other classes.
    """

    peak: Tensor
    rest: Tensor

    def log_probs(self, logits: Tensor, scale: float) -> Tensor:
        """Return float64 log probabilities of some logits ``(t, n, k)`` of each frame."""
        above = (logits.double() - self.peak.double()[:, :, None]) * scale
        return above - torch.log1p(self.rest)[:, :, None]


class FusedTerms(torch.autograd.Function):
    """Logits ``(t, n, c)`` to nll ``(n,)``, cross-entropy ``(n,)`` and alignment ``(t, n)``."""

    @staticmethod
    def forward(  # noqa: D102  documented by torch
        ctx: Any, logits: Tensor, labels: Labels, options: Options
    ) -> tuple[Tensor, Tensor, Tensor]:
        dtype = compute_dtype(logits)
        normaliser = _normalise(logits, options.scale)
        columns = candidate_classes(labels, options.blank).expand(len(logits), -1, -1)
        emissions = normaliser.log_probs(logits.gather(2, columns), options.scale)
        lattice = forward_backward(emissions, labels)
        if options.alignment is not None:
            alignment = options.alignment
        elif options.estimator is not None:
            alignment = estimate_alignment(
                options.estimator, logits, emissions, lattice, labels, options.blank
            )
        else:
            alignment = torch.full_like(normaliser.peak, NO_CLASS, dtype=torch.int64)
        chosen = normaliser.log_probs(_at(logits, alignment), options.scale)[:, :, 0]
        distill, at_z, elsewhere = _cross_entropy(chosen, options.scale * options.margin)
        off = alignment == NO_CLASS
        # the posterior of a frame sums to 1, or to 0 where the frame takes no part; NaN stays NaN
        mass = lattice.posterior.sum(2) + torch.where(
            valid_frames(labels, len(logits)), 0.0 * lattice.nll, 0.0
        )
        ctx.save_for_backward(
            logits,
            *normaliser,
            columns,
            lattice.posterior,
            mass,
            alignment,
            chosen,
            at_z.masked_fill(off, 0.0),
            elsewhere.masked_fill(off, 0.0),
        )
        ctx.scale = options.scale
        ctx.mark_non_differentiable(alignment)
        ctx.set_materialize_grads(False)
        distill = distill.masked_fill(off, 0.0).sum(0)
        return lattice.nll.to(dtype), distill.to(dtype), alignment

    @staticmethod
    def backward(  # noqa: D102  documented by torch
        ctx: Any, grad_nll: Tensor | None, grad_distill: Tensor | None, _: Any
    ) -> tuple[Tensor, None, None]:
        (logits, peak, rest, columns, posterior, mass, alignment, chosen, at_z, elsewhere) = (
            ctx.saved_tensors
        )
        with torch.no_grad():
            zero = torch.zeros((), dtype=torch.float64, device=logits.device)
            beta = zero if grad_nll is None else grad_nll.double()  # () or (n,)
            alpha = zero if grad_distill is None else grad_distill.double()
            gradient = _gradient(
                logits,
                Normaliser(peak, rest),
                p_weight=beta * mass + alpha * elsewhere,
                alignment=None if grad_distill is None else alignment,
                at_alignment=beta * mass * chosen.exp() + alpha * at_z,
                columns=columns,
                column_weights=-beta[..., None] * posterior,
                scale=ctx.scale,
            )
        return refuse_second_derivative(gradient, logits), None, None


def compute_dtype(logits: Tensor) -> torch.dtype:
    """Return float64 for float64 logits, float32 for all others."""
    return torch.float64 if logits.dtype == torch.float64 else torch.float32


def _normalise(logits: Tensor, scale: float) -> Normaliser:
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
    return Normaliser(peak, rest)


def _cross_entropy(log_p: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return -log softmax(u - margin onehot(z))[z] and its gradient, per frame.

    Args:
        log_p: ``(t, n)`` float64, log probability of z without margin.
        margin: s m.

    Returns:
        The value; the gradient with respect to u at z; that at any other class, divided by its
        probability. ``(t, n)`` each.
    """
    if not margin:
        return -log_p, torch.expm1(log_p), torch.ones_like(log_p)
    lowered = torch.exp(log_p - margin)
    total = lowered - torch.expm1(log_p)  # what sums to 1 without the margin
    return margin - log_p + total.log(), lowered / total - 1.0, 1.0 / total


def _gradient(
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
        at_alignment: ``(t, n)`` float64, what stands at z*; computed apart, since with a margin
            it is a small difference of large numbers.
        columns: ``(t, n, s + 1)`` the candidate classes.
        column_weights: ``(t, n, s + 1)`` float64.
        scale: Factor s on the logits.
    """
    dtype = compute_dtype(logits)
    idle = p_weight == 0.0
    factor = (scale * p_weight / (1.0 + normaliser.rest)).to(dtype)
    at_alignment = (scale * at_alignment).masked_fill(idle, 0.0).to(dtype)
    column_weights = (scale * column_weights).to(dtype)
    gradient = torch.empty_like(logits)
    for frames in _blocks(logits):
        # half precision is added up in float32 before it is written
        out = gradient[frames] if logits.dtype == dtype else gradient[frames].to(dtype)
        torch.sub(logits[frames], normaliser.peak[frames, :, None], out=out)
        if scale != 1.0:
            out.mul_(scale)
        out.exp_().mul_(factor[frames, :, None])
        out[idle[frames]] = 0.0  # whatever stands in frames that take no part, NaN too
        if alignment is not None:
            z = alignment[frames].clamp(min=0)[:, :, None]
            out.scatter_(2, z, at_alignment[frames, :, None])
        out.scatter_add_(2, columns[frames], column_weights[frames])
        if out.dtype != gradient.dtype:
            gradient[frames] = out.to(gradient.dtype)
    return gradient


def _blocks(logits: Tensor) -> Iterator[slice]:
    t, n, c = logits.shape
    step = max(1, BLOCK // (n * c)) if logits.device.type == "cpu" else t
    return (slice(i, i + step) for i in range(0, t, step))


def _at(logits: Tensor, alignment: Tensor) -> Tensor:
    """Return the logits of an alignment ``(t, n)``, as ``(t, n, 1)``."""
    return logits.gather(2, alignment.clamp(min=0)[:, :, None])
