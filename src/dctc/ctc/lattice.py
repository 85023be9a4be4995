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

NEVER = -1e30  # log probability of what cannot be; finite, so that differences of two are 0
LOWEST = -700.0  # exp of less underflows, which is slow, and is nothing beside 1 anyway
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
    """Return nll ``(n,)`` and posterior ``(t, n, s + 1)``, some samples at a time."""
    n = emissions.shape[1]
    step = SAMPLES if emissions.device.type == "cpu" else max(n, 1)
    parts = [
        _of_some(emissions[:, i : i + step], Labels(*(part[i : i + step] for part in labels)))
        for i in range(0, n, step)
    ]
    if len(parts) == 1:
        return parts[0]
    nll, posterior = zip(*parts, strict=True) if parts else ((emissions[0, :, 0],), (emissions,))
    return torch.cat(nll), torch.cat(posterior, 1)


def _of_some(emissions: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
    joint = _joint(emissions, labels)
    # An empty label over no frames has probability 1.
    nothing = (labels.frames == 0) | ~labels.feasible
    nll = -joint[:1].logsumexp(2).sum(0).masked_fill(nothing, 0.0)
    nothing = nothing | (nll > -NEVER / 2)  # logits of -inf can make any label impossible
    nll = nll.masked_fill(nothing, 0.0)
    # (t, n, 2s + 1), of each state
    occupancy = joint.add_(nll[:, None]).clamp_(min=LOWEST).exp_()
    # a character that repeats counts where it first stands
    same = labels.classes[:, :, None] == labels.classes[:, None, :]  # (n, s, s)
    first = (same.int().argmax(2) + 1).expand(len(emissions), -1, -1)  # (t, n, s)
    posterior = torch.zeros_like(emissions).scatter_add_(2, first, occupancy[:, :, 1::2])
    torch.sum(occupancy[:, :, 0::2], 2, out=posterior[:, :, 0])
    takes_part = valid_frames(labels, len(emissions)) & ~nothing  # (t, n)
    posterior.masked_fill_(~takes_part[:, :, None], 0.0)
    return nll, posterior.nan_to_num_(0.0).clamp_(max=1.0)


def _joint(emissions: Tensor, labels: Labels) -> Tensor:
    """Return log p(path goes through a state at a frame, label) of all states.

    States are the blanks (even) and characters (odd) of the extended label. The recursion over
    what precedes a frame and the one over what follows it are the same on a lattice turned round,
    and run side by side: alpha and beta of Graves et al., ICML 2006, eq. 6 and 10.

    Returns:
        ``(t, n, 2s + 1)`` float64.
    """
    t, n, columns = emissions.shape
    states = 2 * columns - 1
    emissions = emissions.clamp(min=NEVER)
    turned = emissions.flip(0, 2)
    jump = _jump(labels.classes, emissions)  # (2n, states)
    # Row i + 1 holds the emissions of step i until the recursion comes by and adds to them.
    path = emissions.new_full((t + 1, 2 * n, states + 2), NEVER)
    path[1:, :n, 2::2] = emissions[:, :, :1]
    path[1:, :n, 3::2] = emissions[:, :, 1:]
    path[1:, n:, 2::2] = turned[:, :, -1:]
    path[1:, n:, 3::2] = turned[:, :, :-1]
    path[0, :n, 2] = 0.0  # before the first frame: as if in the first blank
    sample = torch.arange(n, device=emissions.device)
    path[0, n + sample, 2 + states - 1 - 2 * labels.lengths] = 0.0  # after the last: the final one
    ragged = bool((labels.frames < t).any())
    ways = emissions.new_empty((3, 2 * n, states))  # to stay, to step, to jump
    stayed, stepped, jumped = ways
    best = torch.empty_like(jump)
    rows = list(zip(*(path[:, :, k : k + states].unbind(0) for k in (2, 1, 0)), strict=True))
    for i, (stay, step, two_before) in enumerate(rows[:-1]):
        torch.add(two_before, jump, out=jumped)
        torch.maximum(torch.maximum(stay, step, out=best), jumped, out=best)
        torch.sub(stay, best, out=stayed)
        torch.sub(step, best, out=stepped)
        jumped.sub_(best)
        ways.clamp_(min=LOWEST).exp_()
        stayed.add_(stepped).add_(jumped).log_().add_(best)
        now = rows[i + 1][0].add_(stayed)
        if ragged:  # what follows begins at each sample's own last frame
            begun = (t - 1 - i < labels.frames)[:, None]
            now[n:] = torch.where(begun, now[n:], stay[n:])
    joint = path[1:, :n, 2:].add_(path[1:, n:, 2:].flip(0, 2))
    joint[:, :, 0::2] -= emissions[:, :, :1]  # which both sides counted
    joint[:, :, 1::2] -= emissions[:, :, 1:]
    return joint


def _jump(classes: Tensor, emissions: Tensor) -> Tensor:
    """Return 0 for states that the state two before may jump to, NEVER for all others.

    A character may follow another one directly unless they are equal.

    Returns:
        ``(2n, 2s + 1)``: of the lattices, then of the lattices turned round.
    """
    n, s = classes.shape
    jump = emissions.new_full((n, 2 * s + 1), NEVER)
    jump[:, 3::2].masked_fill_(classes[:, 1:] != classes[:, :-1], 0.0)
    turned = torch.full_like(jump, NEVER)
    turned[:, 2:] = jump[:, 2:].flip(1)
    return torch.cat((jump, turned))
