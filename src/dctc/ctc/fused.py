"""Both terms of DCTC and their gradient from one forward-backward.

With P = softmax(s x) and the posterior gamma, the gradient of beta CTC + alpha CE with respect to
s x is (alpha + beta) P - beta gamma - alpha onehot(z*): everything that the lattice gives is enough
to write it down. So the logits are passed over twice: once for the normaliser of each frame, once
to write the gradient, which is the one tensor of their size that is made. The passes and the
lattice are torch operations (:mod:`dctc.ctc.torch_kernels`) or, on a GPU, Triton kernels of the
same signatures (:mod:`dctc.ctc.triton_kernels`).
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dctc.ctc import torch_kernels
from dctc.ctc.alignment import NO_CLASS, Estimator, estimate_alignment
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import (
    Lattice,
    candidate_classes,
    readable,
    refuse_second_derivative,
    samples_last,
    valid_frames,
)
from dctc.ctc.torch_kernels import Normaliser, compute_dtype

# DCTC_KERNELS: "torch" or "triton" forces that path, for tests and benchmarks. Otherwise triton is
# used on a GPU, where it is installed and runs. Read when this module is imported.
KERNELS = os.environ.get("DCTC_KERNELS") or "auto"


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


class FrameWeights(NamedTuple):
    """What the gradient is made of besides the logits; see :func:`distil`.

    Attributes:
        columns: ``(t, n, s + 1)`` the candidate classes.
        posterior: ``(t, n, s + 1)`` their posterior.
        mass: ``(t, n)`` float64, its sum: 1, or 0 where the frame takes no part.
        alignment: ``(t, n)`` z*.
        chosen: ``(t, n)`` float64, log probability of z*; 0 where the frame takes no part.
        at_z: ``(t, n)`` float64, gradient of the cross-entropy at z*.
        elsewhere: ``(t, n)`` float64, that at any other class, divided by its probability.
    """

    columns: Tensor
    posterior: Tensor
    mass: Tensor
    alignment: Tensor
    chosen: Tensor
    at_z: Tensor
    elsewhere: Tensor

    def arguments(self, grad_nll: Tensor | None, grad_distill: Tensor | None) -> dict[str, Any]:
        """Return what a ``gradient`` pass takes, from the gradients of both terms, ``(n,)``."""
        zero = self.mass.new_zeros(())
        beta = zero if grad_nll is None else grad_nll.double()  # () or (n,)
        alpha = zero if grad_distill is None else grad_distill.double()
        return {
            "p_weight": beta * self.mass + alpha * self.elsewhere,
            "alignment": None if grad_distill is None else self.alignment,
            "at_alignment": beta * self.mass * self.chosen.exp() + alpha * self.at_z,
            "columns": self.columns,
            "column_weights": -beta[..., None] * self.posterior,
        }


def distil(
    chosen: Tensor, alignment: Tensor, lattice: Lattice, labels: Labels, options: Options
) -> tuple[Tensor, FrameWeights]:
    """Return the cross-entropy ``(n,)`` towards an alignment, and what its gradient is made of.

    Args:
        chosen: ``(t, n)`` float64, log probability of the alignment's classes.
        alignment: ``(t, n)`` z*.
        lattice: Nll and posterior.
        labels: The labels.
        options: Blank, margin and scale.
    """
    distill, at_z, elsewhere = _cross_entropy(chosen, options.scale * options.margin)
    # NaN stays NaN
    zero = torch.where(valid_frames(labels, len(alignment)), 0.0 * lattice.nll, 0.0)
    mass = lattice.posterior.sum(2) + zero
    # logits of -inf can make a label impossible
    alignment = alignment.masked_fill(mass == 0.0, NO_CLASS)
    off = alignment == NO_CLASS
    weights = FrameWeights(
        candidate_classes(labels, options.blank).expand(len(alignment), -1, -1),
        lattice.posterior,
        mass,
        alignment,
        chosen.masked_fill(mass == 0.0, 0.0),  # whatever stands there, NaN too
        at_z.masked_fill(off, 0.0),
        elsewhere.masked_fill(off, 0.0),
    )
    return distill.masked_fill(off, 0.0).sum(0), weights


class FusedTerms(torch.autograd.Function):
    """Logits ``(t, n, c)`` to nll ``(n,)``, cross-entropy ``(n,)`` and alignment ``(t, n)``.

    The last output, ``(n,)``, says which labels are :func:`~dctc.ctc.lattice.readable`.
    """

    @staticmethod
    def forward(  # noqa: D102  documented by torch
        ctx: Any, logits: Tensor, labels: Labels, options: Options
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        kernels = choose_kernels(logits)
        normaliser = kernels.normalise(logits, options.scale)
        columns = candidate_classes(labels, options.blank).expand(len(logits), -1, -1)
        emissions = samples_last(normaliser.log_probs(logits.gather(2, columns), options.scale))
        lattice = kernels.forward_backward(emissions, labels)
        if options.alignment is not None:
            alignment = options.alignment
        elif options.estimator is not None:
            alignment = estimate_alignment(
                options.estimator,
                logits,
                emissions,
                lattice,
                labels,
                options.blank,
                kernels.best_candidate,
            )
        else:
            alignment = torch.full_like(normaliser.peak, NO_CLASS, dtype=torch.int64)
        at = logits.gather(2, alignment.clamp(min=0)[:, :, None])
        chosen = normaliser.log_probs(at, options.scale)[:, :, 0]
        distill, weights = distil(chosen, alignment, lattice, labels, options)
        ctx.save_for_backward(logits, *normaliser, *weights)
        ctx.kernels, ctx.scale = kernels, options.scale
        read = readable(lattice, labels)
        ctx.mark_non_differentiable(weights.alignment, read)
        ctx.set_materialize_grads(False)
        dtype = compute_dtype(logits)
        return lattice.nll.to(dtype), distill.to(dtype), weights.alignment, read

    @staticmethod
    def backward(  # noqa: D102  documented by torch
        ctx: Any, grad_nll: Tensor | None, grad_distill: Tensor | None, *_: Any
    ) -> tuple[Tensor, None, None]:
        logits, peak, rest, *weights = ctx.saved_tensors
        with torch.no_grad():
            arguments = FrameWeights(*weights).arguments(grad_nll, grad_distill)
            gradient = ctx.kernels.gradient(
                logits, Normaliser(peak, rest), scale=ctx.scale, **arguments
            )
        return refuse_second_derivative(gradient, logits), None, None


def choose_kernels(logits: Tensor) -> ModuleType:
    """Return the module whose passes take these logits.

    Raises:
        ValueError: If DCTC_KERNELS names no path.
        RuntimeError: If it asks for triton where triton cannot run.
    """
    if KERNELS not in ("auto", "torch", "triton"):
        raise ValueError(f"DCTC_KERNELS={KERNELS}: not one of torch, triton, auto")
    if KERNELS == "torch" or (KERNELS == "auto" and not logits.is_cuda):
        return torch_kernels
    if find_spec("triton") is None:
        if KERNELS == "triton":
            raise RuntimeError("DCTC_KERNELS=triton: triton is not installed")
        return torch_kernels
    from dctc.ctc import triton_kernels  # here, so that the losses load torch alone

    if KERNELS == "auto" and not triton_kernels.work_on(logits.device):
        return torch_kernels
    triton_kernels.require(logits.device)
    return triton_kernels


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
