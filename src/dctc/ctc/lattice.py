"""Forward-backward over the CTC lattice, restricted to the classes that a label can use.

Only the blank and the characters of a sample's label take part in its lattice. Their log
probabilities, the *emissions*, are gathered into a compact ``(t, n, s + 1)`` float64 tensor: column
0 is the blank, column j the j-th character of the label. (torch's float32 gradient over all classes
is off by up to 3e-4.) The posterior of a character that repeats in a label stands in the column of
its first occurrence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.labels import Labels
from dctc.ctc.recursion import IMPOSSIBLE, in_logarithms, scaled

SAMPLES = 128  # taken at a time on a CPU, to keep the working memory below that of the logits


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


def first_column(classes: Tensor) -> Tensor:
    """Return where each of some classes ``(n, k)`` first stands among those of its sample."""
    return (classes[:, :, None] == classes[:, None, :]).int().argmax(2)


def samples_last(emissions: Tensor) -> Tensor:
    """Lay out ``(t, n, s + 1)`` with samples as neighbours in memory, as the lattice has them.

    Reductions over the few classes are then several times as fast.
    """
    return emissions.transpose(1, 2).contiguous().transpose(1, 2)


def valid_frames(labels: Labels, t: int) -> Tensor:
    """Return which frames take part, ``(t, n)`` bool: before the input length, label feasible."""
    frame = torch.arange(t, device=labels.frames.device)[:, None]
    return (frame < labels.frames) & labels.feasible


def readable(lattice: Lattice, labels: Labels) -> Tensor:
    """Return which labels some path spells, ``(n,)`` bool: feasible, and possible for the logits.

    Logits of -inf can make every path of a label impossible. A sample with NaN is readable.

    Args:
        lattice: Nll and posterior.
        labels: The labels.
    """
    some_path = (lattice.posterior[0] != 0).any(1) | (lattice.nll != 0)
    return labels.feasible & (some_path | (labels.frames == 0))


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
    """Return nll ``(n,)`` and posterior ``(t, n, s + 1)``, some samples at a time."""
    n = emissions.shape[1]
    step = SAMPLES if emissions.device.type == "cpu" else max(n, 1)
    parts = [
        _of_some(emissions[:, i : i + step], Labels(*(part[i : i + step] for part in labels)))
        for i in range(0, n, step)
    ]
    if len(parts) == 1:
        nll, posterior = parts[0]
    else:
        nll, posterior = (torch.cat(part, -1) for part in zip(*parts, strict=True))
    return nll, posterior.transpose(1, 2)


def _of_some(emissions: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
    """Return nll ``(n,)`` and posterior ``(t, s + 1, n)``."""
    t, n, columns = emissions.shape
    total, states, sure = scaled(emissions, labels)
    lost = ~sure & labels.feasible
    if lost.any():
        again = lost.nonzero()[:, 0]
        exact = in_logarithms(emissions[:, again], Labels(*(part[again] for part in labels)))
        total[again], states[:, :, again] = exact.total, exact.states
    # An empty label over no frames has probability 1; logits of -inf can make any label impossible.
    nothing = (labels.frames == 0) | ~labels.feasible | (total < IMPOSSIBLE)
    # a character that repeats counts where it first stands
    first = first_column(labels.classes).T.expand(t, -1, -1)  # (t, s, n)
    posterior = states.new_zeros((t, columns, n))
    torch.sum(states[:, 0::2], 1, out=posterior[:, 0])
    posterior[:, 1:].scatter_add_(1, first, states[:, 1::2])
    takes_part = valid_frames(labels, t) & ~nothing  # (t, n)
    posterior.masked_fill_(~takes_part[:, None], 0.0).nan_to_num_(0.0).clamp_(max=1.0)
    return -total.masked_fill(nothing, 0.0), posterior
