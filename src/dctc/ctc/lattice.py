"""Forward-backward over the CTC lattice, restricted to the classes that a label can use.

Only the blank and the characters of a sample's label take part in its lattice. Their log
probabilities, the *emissions*, are gathered into a compact ``(t, n, s + 1)`` float64 tensor whose
columns are :func:`~dctc.ctc.candidate_classes`. (torch's float32 gradient over all classes is off
by up to 3e-4.) The posterior of a character that repeats in a label stands in the column of its
first occurrence.

Forward and backward recursions run together: the backward one is the forward one on a reversed
lattice (alpha and beta of Graves et al., ICML 2006, eq. 6 and 10). States are the blanks (even) and
characters (odd) of the extended label; they come before the samples in memory, so that a step from
state to state is one run through it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from dctc.ctc.labels import Labels, first_column, valid_frames
from dctc.ctc.threads import on_few_threads, workspace

STATES = 2**20  # of all frames and samples taken at a time on a CPU: 8 MiB for each array of states
NEVER = -1e30  # log probability of the impossible; finite, so that differences of two are 0
IMPOSSIBLE = NEVER / 2  # a log probability below it counts as that of the impossible
LOWEST = -700.0  # exp of less underflows, which is slow, and is nothing beside 1 anyway
SCALE_EVERY = 4  # frames; rarer is quicker, and no path is lost by it that would not be otherwise
LEAST = 1e-250  # mass of a frame times its norm, beside which what was lost is nothing


class Lattice(NamedTuple):
    """Likelihood and posterior of a batch.

    Attributes:
        nll: ``(n,)`` float64, -log p(label | logits) in nats, not divided by the label's length;
            0 for infeasible samples and where it is infinite. Differentiable with respect to the
            emissions.
        posterior: ``(t, n, s + 1)`` float64, posterior occupancy gamma of each candidate class; 0
            on padded frames, on infeasible samples, where the nll is infinite and, to rounding, in
            the columns of repeats. No gradient.
    """

    nll: Tensor
    posterior: Tensor


class Occupancy(NamedTuple):
    """Result of a recursion.

    Attributes:
        total: ``(n,)`` float64, log p(label).
        states: ``(t, 2s + 1, n)`` float64, p(path goes through a state at a frame | label) times
            the mass of the frame.
        mass: ``(t, n)`` float64, their sum over the states.
        sure: ``(n,)`` bool, whether both are right.
    """

    total: Tensor
    states: Tensor
    mass: Tensor
    sure: Tensor


def forward_backward(emissions: Tensor, labels: Labels) -> Lattice:
    """Run forward-backward (Graves et al., ICML 2006) over the lattice of each label.

    Args:
        emissions: ``(t, n, s + 1)`` float64 log probabilities of the candidate classes; they need
            not sum to 1.
        labels: The labels.
    """
    nll, posterior = _ForwardBackward.apply(emissions, labels)
    return Lattice(nll, posterior)


def samples_last(emissions: Tensor) -> Tensor:
    """Lay out ``(t, n, s + 1)`` with samples as neighbours in memory, as the lattice has them.

    Reductions over the few classes are then several times as fast.
    """
    return emissions.transpose(1, 2).contiguous().transpose(1, 2)


def readable(lattice: Lattice, labels: Labels) -> Tensor:
    """Return which labels some path spells, ``(n,)`` bool: feasible, and possible for the logits.

    Logits of -inf can make every path of a label impossible. A sample with NaN is readable.
    """
    some_path = (lattice.posterior[0] != 0).any(1) | (lattice.nll != 0)
    return labels.feasible & (some_path | (labels.frames == 0))


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
    """Return ``gradient``; to differentiate it by its ``source`` raises a RuntimeError.

    torch's once_differentiable would, under most circumstances, take the gradient as constant.
    """
    return _NoSecondDerivative.apply(gradient, source)


class _NoSecondDerivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, source: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor, Tensor]:
        raise RuntimeError("CTC: its second derivative with respect to the logits is not available")


def _nll_and_posterior(emissions: Tensor, labels: Labels) -> tuple[Tensor, Tensor]:
    """Return nll ``(n,)`` and posterior ``(t, n, s + 1)``, some samples at a time."""
    t, n, columns = emissions.shape
    step = max(n, 1)
    if emissions.device.type == "cpu":
        step = max(1, STATES // ((t + 1) * (4 * columns + 2)))
    with on_few_threads(emissions.device, 2 * t * columns * min(step, n)):
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
    total, states, mass, sure = scaled(emissions, labels)
    lost = ~sure & labels.feasible
    if lost.any():
        again = lost.nonzero()[:, 0]
        exact = in_logarithms(emissions[:, again], Labels(*(part[again] for part in labels)))
        total[again], states[:, :, again], mass[:, again] = exact.total, exact.states, exact.mass
    # An empty label over no frames has probability 1; logits of -inf can make any label impossible.
    nothing = (labels.frames == 0) | ~labels.feasible | (total < IMPOSSIBLE)
    posterior = states.new_empty((t, columns, n))
    torch.sum(states[:, 0::2], 1, out=posterior[:, 0])
    posterior[:, 1:] = states[:, 1::2]
    # a character that repeats counts where it first stands
    first, column = first_column(labels.classes), torch.arange(columns - 1, device=states.device)
    sample, repeat = ((first < column) & (column < labels.lengths[:, None])).nonzero(as_tuple=True)
    if len(repeat):
        flat, place = posterior.view(t, columns * n), (repeat + 1) * n + sample
        into = (first[sample, repeat] + 1) * n + sample
        flat.index_add_(1, into, flat.index_select(1, place)).index_fill_(1, place, 0.0)
    posterior.div_(mass[:, None]).clamp_(max=1.0)
    out = ~valid_frames(labels, t) | nothing  # (t, n)
    if bool(out.any()):
        posterior.masked_fill_(out[:, None], 0.0)
    if not bool(sure.all()):
        posterior.nan_to_num_(0.0)
    return -total.masked_fill(nothing, 0.0), posterior


def scaled(emissions: Tensor, labels: Labels) -> Occupancy:
    """Run the recursion on probabilities, scaled at each frame (Rabiner, 1989, section V.A).

    No exponential or logarithm is taken on the way, which makes it several times as fast as
    :func:`in_logarithms`. Sums below 1e-308 underflow before their row is divided by its norm: in
    the scale of the row, a state loses up to 1e-308 / norm. The factor that it is multiplied by,
    of the recursion in the other direction, is at most 81: 3 ways a frame, over the 4 frames
    without scaling. So what a frame loses is negligible beside its mass if mass * norm exceeds
    :data:`LEAST`, with the lesser of the forward and the backward norm of its row. Where that
    fails at any frame, the sample is unsure, and recomputed in log space.

    Args:
        emissions: ``(t, n, s + 1)`` float64 log probabilities of the candidate classes.
        labels: The labels.

    Returns:
        What it found; on a CPU the states are overwritten by the next call.
    """
    t, n, _ = emissions.shape
    log_probs = emissions.transpose(1, 2)  # (t, s + 1, n)
    peak = log_probs.amax(1)  # (t, n)
    jump = _jump(labels.classes).to(emissions.dtype)  # (2s + 1, 2n)
    rows = (t + 1, len(jump) + 2, 2 * n)
    path, reached = workspace(emissions, rows, (t, *jump.shape))
    below = log_probs - peak[:, None]
    torch.exp(below[:, 1:], out=path[1:, 3::2, :n])
    _fill_rows(path, below[:, 0].exp_(), labels, never=0.0, start=1.0)
    norms = emissions.new_ones((t + 1, 2 * n))
    begun = torch.arange(t - 1, -1, -1, device=emissions.device)[:, None] < labels.frames
    ragged = not bool(begun.all())
    shifted = _shifted_rows(path)
    for i, before in enumerate(reached.unbind(0)):
        stay, step, two_before = shifted[i]
        torch.add(stay, step, out=before).addcmul_(two_before, jump)
        now = shifted[i + 1][0].mul_(before)
        if ragged:  # what follows begins at each sample's own last frame
            now[:, n:] = torch.where(begun[i], now[:, n:], stay[:, n:])
        if i % SCALE_EVERY == 0:
            now.div_(torch.amax(now, 0, out=norms[i + 1]))
    states = reached[:, :, :n].mul_(path[1:, 2:, n:].flip(0, 1))
    mass = states.sum(1)  # (t, n)
    valid = begun.flip(0)
    kept = torch.minimum(norms[:-1, :n], norms[1:, n:].flip(0)).mul_(mass)
    sure = ((kept > LEAST) & (kept < torch.inf) | ~valid).all(0)
    total = mass[0].log() + norms[:, n:].log_().sum(0) + peak.masked_fill(~valid, 0.0).sum(0)
    return Occupancy(total, states, mass, sure)


def in_logarithms(emissions: Tensor, labels: Labels) -> Occupancy:
    """Run the recursion on logarithms, which loses no path; arguments as of :func:`scaled`."""
    t, n, columns = emissions.shape
    log_probs = emissions.clamp(min=NEVER).transpose(1, 2)  # (t, s + 1, n)
    jump = torch.where(_jump(labels.classes), 0.0, NEVER).to(emissions.dtype)
    path = emissions.new_empty((t + 1, 2 * columns + 1, 2 * n))
    path[1:, 3::2, :n] = log_probs[:, 1:]
    _fill_rows(path, log_probs[:, 0], labels, never=NEVER, start=0.0)
    ragged = bool((labels.frames < t).any())
    ways = emissions.new_empty((3, 2 * columns - 1, 2 * n))  # to stay, to step, to jump
    stayed, stepped, jumped = ways
    best = torch.empty_like(jump)
    rows = _shifted_rows(path)
    for i, (stay, step, two_before) in enumerate(rows[:-1]):
        torch.add(two_before, jump, out=jumped)
        torch.maximum(torch.maximum(stay, step, out=best), jumped, out=best)
        torch.sub(stay, best, out=stayed)
        torch.sub(step, best, out=stepped)
        jumped.sub_(best)
        ways.clamp_(min=LOWEST).exp_()
        stayed.add_(stepped).add_(jumped).log_().add_(best)
        now = rows[i + 1][0].add_(stayed)
        if ragged:
            begun = t - 1 - i < labels.frames
            now[:, n:] = torch.where(begun, now[:, n:], stay[:, n:])
    states = path[1:, 2:, :n].add_(path[1:, 2:, n:].flip(0, 1))
    states[:, 0::2] -= log_probs[:, :1]  # which both sides counted
    states[:, 1::2] -= log_probs[:, 1:]
    total = states[0].logsumexp(0)
    states = states.sub_(total).clamp_(min=LOWEST).exp_()
    return Occupancy(total, states, states.sum(1), torch.ones_like(labels.feasible))


def _fill_rows(path: Tensor, at_blank: Tensor, labels: Labels, never: float, start: float) -> None:
    """Fill the recursion's working memory, in which the lattices' characters stand already.

    Row 0 holds where paths start, before the first frame: as if in the first blank; reversed: in
    the last one. Row i + 1 holds what the states emit at step i until the recursion comes by.

    Args:
        path: ``(t + 1, 2 + 2s + 1, 2n)``: two states that are never reached, so that a step can be
            taken from two states before the first; the lattices, then the reversed lattices.
        at_blank: ``(t, n)``, what blanks emit.
        labels: The labels.
        never: Stands for probability 0.
        start: Stands for probability 1.
    """
    states, n = path.shape[1] - 2, at_blank.shape[1]
    path[0] = never
    path[:, :2] = never
    path[1:, 2::2] = torch.cat((at_blank, at_blank.flip(0)), 1)[:, None]
    path[1:, 3::2, n:] = path[1:, 3::2, :n].flip(0, 1)
    path[0, 2, :n] = start
    # the reversed lattice starts with the last blank; infeasible labels have more than the columns
    first = (states + 1 - 2 * labels.lengths).clamp(min=2)
    path[0, :, n:].scatter_(0, first[None], start)


def _shifted_rows(path: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return each row as it is, by one and by two states before."""
    states = path.shape[1] - 2
    return list(zip(*(path[:, k : k + states].unbind(0) for k in (2, 1, 0)), strict=True))


def _jump(classes: Tensor) -> Tensor:
    """Return the states that the state two before may jump to, ``(2s + 1, 2n)`` bool.

    A character may follow another one directly unless they are equal.
    """
    n, s = classes.shape
    jump = torch.zeros((2 * s + 1, 2 * n), dtype=torch.bool, device=classes.device)
    jump[3::2, :n] = (classes[:, 1:] != classes[:, :-1]).T
    jump[2:, n:] = jump[2:, :n].flip(0)
    return jump
