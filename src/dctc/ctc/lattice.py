"""Forward-backward over the CTC lattice, restricted to the classes that a label can use.

Only the blank and the characters of a sample's label take part in its lattice. Their log
probabilities, the *emissions*, are gathered into a compact ``(t, n, s + 1)`` float64 tensor: column
0 is the blank, column j the j-th character of the label. On it torch's own CTC kernels run in
double precision at little cost. (Their float32 gradient over all classes is off by up to 3e-4.)
A character that repeats in a label is represented by the column of its first occurrence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.labels import Labels


class Lattice(NamedTuple):
    """What forward-backward knows of a batch.

    Attributes:
        nll: ``(n,)`` float64, -log p(label | logits) in nats, not divided by the label's length;
            0 for infeasible samples and where it is infinite. Differentiable with respect to the
            emissions.
        posterior: ``(t, n, s + 1)`` float64, posterior occupancy gamma of each compact class; 0 on
            padded frames, on infeasible samples, where the nll is infinite and, to rounding, in the
            columns of repeats. No gradient.
    """

    nll: Tensor
    posterior: Tensor


def candidate_classes(labels: Labels, blank: int) -> Tensor:
    """Return the class of each compact column, ``(n, s + 1)``; padding columns are the blank's."""
    return F.pad(labels.classes, (1, 0), value=blank)


def valid_frames(labels: Labels, t: int) -> Tensor:
    """Return which frames take part, ``(t, n)`` bool: before the input length, label feasible."""
    frame = torch.arange(t, device=labels.frames.device)[:, None]
    return (frame < labels.frames) & labels.feasible


def forward_backward(emissions: Tensor, labels: Labels) -> Lattice:
    """Run forward-backward (Graves et al., ICML 2006) over the lattice of each label.

    Args:
        emissions: ``(t, n, s + 1)`` float64 log probabilities of :func:`candidate_classes`.
        labels: The labels.
    """
    nll, posterior = _ForwardBackward.apply(emissions, labels)
    return Lattice(nll, posterior)


class _ForwardBackward(torch.autograd.Function):
    """d nll / d log p = -gamma; no normalisation is assumed of the emissions."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
        nll, posterior = _nll_and_posterior(emissions.detach(), labels)
        ctx.save_for_backward(emissions, posterior)
        ctx.mark_non_differentiable(posterior)
        return nll, posterior

    @staticmethod
    def backward(ctx: Any, grad_nll: Tensor, _: Tensor) -> tuple[Tensor, None]:
        emissions, posterior = ctx.saved_tensors
        return refuse_second_derivative(-posterior * grad_nll[:, None], emissions), None


def refuse_second_derivative(gradient: Tensor, source: Tensor) -> Tensor:
    """Return ``gradient`` such that differentiating it by its ``source`` is a clear error.

    torch's once_differentiable would, under most circumstances, take the gradient as constant.
    """
    return _NoSecondDerivative.apply(gradient, source)


class _NoSecondDerivative(torch.autograd.Function):
    """Refuses to be differentiated; once_differentiable would hold the posterior constant."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, emissions: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("CTC: its second derivative with respect to the logits is not available")


def _nll_and_posterior(emissions: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
    t = emissions.shape[0]
    # Validation loops run in inference mode, which enable_grad alone does not leave.
    with torch.inference_mode(False), torch.enable_grad():
        # An empty label over no frames has probability 1; torch's kernel wants at least one frame.
        nothing = (labels.frames == 0) | ~labels.feasible
        lengths = labels.lengths.masked_fill(nothing, 0)
        shared = emissions.clone() if emissions.is_inference() else emissions.detach()
        leaf = shared.requires_grad_()
        nll = F.ctc_loss(
            leaf,
            _first_occurrence(labels.classes) + 1,
            labels.frames.clamp(min=1),
            lengths,
            blank=0,
            reduction="none",
        )
        # torch returns exp(emission) - gamma, the gradient with respect to logits
        (gradient,) = torch.autograd.grad(nll.sum(), leaf)
    nll = nll.detach()
    nothing = nothing | (nll == torch.inf)  # logits of -inf can make any label impossible
    takes_part = valid_frames(labels, t) & ~nothing  # (t, n)
    posterior = emissions.exp().sub_(gradient).nan_to_num_().clamp_(0.0, 1.0)
    return nll.masked_fill(nothing, 0.0), posterior.mul_(takes_part[:, :, None])


def _first_occurrence(classes: Tensor) -> Tensor:
    """Return for each position of ``(n, s)`` labels where its class first stands in the label."""
    same = classes[:, :, None] == classes[:, None, :]  # (n, s, s)
    return same.int().argmax(2)
