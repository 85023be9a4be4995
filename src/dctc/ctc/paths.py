"""Summed probability and entropy of the paths of a label: of all, or of evenly spaced ones.

A path is cut into segments: the blanks before a character together with its run, and at the end
the blanks that are left. The lattice has two states for each segment, in its blanks and in its run.
Where the length of segments is limited, each state is further indexed by the frames already
spent in its segment; otherwise it loops, and the lattice is that of CTC.

For the entropy each sum of paths carries their mean score as well (the expectation semiring), so
that one recursion in each direction gives the sum, the entropy and the gradients of both (Eisner,
"Parameter Estimation for Probabilistic Finite-State Transducers", ACL 2002; the mean in place of
his weighted sum keeps everything in range). With S the score of a path, the sum of its emissions,
and q = exp(S) / Z its posterior:

    H = -sum q log q = log Z - E[S]
    d log Z / d e = gamma            dH / d e = -gamma (E[S | through here] - E[S])

Liu, Jin and Zhang, NeurIPS 2018, give the recursion for the value; the gradient is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.labels import Labels, valid_frames
from dctc.ctc.lattice import IMPOSSIBLE, NEVER, Lattice, readable, refuse_second_derivative

SAMPLES = 256  # taken at a time
# The limit on segments is short where labels are long, so samples of similar label length have the
# smallest lattice together. A GPU would rather have few steps than small ones.
SAMPLES_LIMITED = 32


def path_sums(
    emissions: Tensor, labels: Labels, longest: Tensor | None = None, entropy: bool = True
) -> tuple[Tensor, Tensor, Tensor]:
    """Sum over the paths of each label.

    Args:
        emissions: ``(t, n, s + 1)`` float64 log scores of the candidate classes.
        labels: The labels; infeasible ones are left out.
        longest: ``(n,)`` int64, frames that a segment may take; None for no limit.
        entropy: Whether to compute the entropy.

    Returns:
        Of each sample, ``(n,)``: -log of the summed exp scores and the entropy of the posterior
        over paths, both float64 nats, 0 without a possible path; and whether there is one.
    """
    found: tuple[Tensor, Tensor, Tensor] = _PathSums.apply(emissions, labels, longest, entropy)
    return found


class _PathSums(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, emissions: Tensor, labels: Labels, longest: Tensor | None, entropy: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        order = labels.lengths.argsort()
        nll, value = emissions.new_zeros((2, len(order)))
        by_nll = torch.zeros_like(emissions)
        by_entropy = torch.zeros_like(emissions) if entropy else None
        small = longest is not None and emissions.device.type == "cpu"
        for rows in order.split(SAMPLES_LIMITED if small else SAMPLES):
            some = Labels(*(part[rows] for part in labels))
            columns = int(some.lengths.max()) + 1
            some = some._replace(classes=some.classes[:, : columns - 1])
            limit = None if longest is None else longest[rows]
            lattice = _Segments(emissions[:, rows, :columns], some, limit, entropy)
            nll[rows], value[rows], posterior, covariance = lattice.run()
            by_nll[:, rows, :columns] = -posterior
            if by_entropy is not None:
                by_entropy[:, rows, :columns] = -covariance
        read = readable(Lattice(nll, by_nll), labels)
        ctx.save_for_backward(emissions, by_nll, by_entropy)
        ctx.mark_non_differentiable(read)
        return nll, value, read

    @staticmethod
    def backward(
        ctx: Any, grad_nll: Tensor, grad_entropy: Tensor, _: Any
    ) -> tuple[Tensor, None, None, None]:
        emissions, by_nll, by_entropy = ctx.saved_tensors
        gradient = by_nll * grad_nll[:, None]
        if by_entropy is not None:
            gradient = gradient + by_entropy * grad_entropy[:, None]
        return refuse_second_derivative(gradient, emissions), None, None, None


class Sum(NamedTuple):
    """Sums over partial paths, an element of the expectation semiring.

    Attributes:
        log: Log of the summed exp scores.
        mean: Mean score, each path weighted by its share in the sum; None if nobody needs it.
    """

    log: Tensor
    mean: Tensor | None

    def through(self, emission: Tensor) -> Sum:
        """Add the score of a frame to all paths."""
        return Sum(self.log + emission, None if self.mean is None else self.mean + emission)

    def only(self, allowed: Tensor) -> Sum:
        """Keep the paths that are allowed."""
        return Sum(self.log.masked_fill(~allowed, NEVER), self.mean)

    def where(self, here: Tensor, other: Sum) -> Sum:
        """Take these sums here and the others elsewhere."""
        log = torch.where(here, self.log, other.log)
        if self.mean is None or other.mean is None:
            return Sum(log, None)
        return Sum(log, torch.where(here, self.mean, other.mean))

    def plus(self, other: Sum) -> Sum:
        """Add the paths of another sum."""
        log = torch.logaddexp(self.log, other.log)
        if self.mean is None or other.mean is None:
            return Sum(log, None)
        weight = (self.log - log).exp()
        return Sum(log, weight * self.mean + (1.0 - weight) * other.mean)

    def over(self, dim: int) -> Sum:
        """Add up along a dimension."""
        if self.log.shape[dim] == 1:
            return self.map(lambda x, _: x.squeeze(dim))
        log = self.log.logsumexp(dim)
        mean = None if self.mean is None else (self.log.softmax(dim) * self.mean).sum(dim)
        return Sum(log, mean)

    def map(self, function: Callable[[Tensor, float], Tensor]) -> Sum:
        """Apply ``function(tensor, what no path is)`` to both parts."""
        mean = None if self.mean is None else function(self.mean, 0.0)
        return Sum(function(self.log, NEVER), mean)


class _Segments:
    """The lattice of a few samples; sums are ``(n, segments, d)``, d the frames of the segment."""

    def __init__(
        self, emissions: Tensor, labels: Labels, longest: Tensor | None, entropy: bool
    ) -> None:
        emissions = emissions.clamp(min=NEVER)
        self.labels, self.entropy = labels, entropy
        self.at_blank = emissions[:, :, :1, None]  # (t, n, 1, 1)
        # the last segment has no character
        self.at_run = F.pad(emissions[:, :, 1:], (0, 1), value=NEVER)[..., None]
        n, s = labels.classes.shape
        touches = labels.classes[:, 1:] != labels.classes[:, :-1]
        self.touches = F.pad(touches, (1, 1), value=True)[:, : s + 1]  # (n, segments)
        self.within: Tensor | None = None
        if longest is not None:
            longest = longest.clamp(max=len(emissions))
            frame = torch.arange(max(int(longest.max()), 1), device=longest.device)
            self.within = (frame < longest[:, None])[:, None]  # (n, 1, d)
        depth = 1 if self.within is None else self.within.shape[2]
        none = self._none((n, s + 1, depth), emissions)
        segment = torch.arange(s + 1, device=emissions.device)[:, None]
        last = labels.lengths[:, None, None]
        self.final_blank = none._replace(log=none.log.masked_fill(segment == last, 0.0))
        self.final_run = none._replace(log=none.log.masked_fill(segment == last - 1, 0.0))

    def _none(self, shape: tuple[int, ...], like: Tensor) -> Sum:
        return Sum(like.new_full(shape, NEVER), like.new_zeros(shape) if self.entropy else None)

    def _advance(self, inside: Sum, enter: Sum) -> Sum:
        """Go on by a frame inside segments, or enter them, ``(n, segments)``."""
        enter = enter.map(lambda x, _: x[..., None])
        if self.within is None:
            return inside.plus(enter)
        moved = inside.map(lambda x, none: F.pad(x[..., :-1], (1, 0), value=none))
        first = torch.arange(self.within.shape[2], device=moved.log.device) == 0
        return enter.where(first, moved).only(self.within)

    def _ahead(self, inside: Sum) -> Sum:
        """Return what lies one frame on in the same segment."""
        if self.within is None:
            return inside
        return inside.only(self.within).map(lambda x, none: F.pad(x[..., 1:], (0, 1), value=none))

    def run(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return nll and entropy ``(n,)``, posterior and covariance ``(t, n, s + 1)``."""
        after, total = self._backward()
        posterior, covariance = self._forward(after, total)
        nll, labels = -total.log, self.labels
        # an empty label over no frames has probability 1
        nothing = (labels.frames == 0) | ~labels.feasible | (nll > -IMPOSSIBLE)
        entropy = torch.zeros_like(nll) if total.mean is None else total.log - total.mean
        takes_part = (valid_frames(labels, len(after)) & ~nothing)[..., None]
        return (
            nll.masked_fill(nothing, 0.0),
            entropy.masked_fill(nothing, 0.0),
            posterior.masked_fill(~takes_part, 0.0),
            covariance.masked_fill(~takes_part, 0.0),
        )

    def _backward(self) -> tuple[list[tuple[Sum, Sum]], Sum]:
        """Return the sums of what follows each state, frame by frame, and the sum of all."""
        after = [(self.final_blank, self.final_run)]
        for frame in reversed(range(len(self.at_run))):
            blank, run = after[-1]
            blank, run = blank.through(self.at_blank[frame]), run.through(self.at_run[frame])
            start = run.map(lambda x, _: x[..., 0]).only(self.touches)
            start = start.plus(blank.map(lambda x, _: x[..., 0]))  # (n, segments)
            leave = start.map(lambda x, none: F.pad(x[:, 1:], (0, 1), value=none)[..., None])
            blank = self._ahead(blank).plus(self._ahead(run))
            run = self._ahead(run).plus(leave)
            over = (frame >= self.labels.frames)[:, None, None]  # this frame is padding
            after.append((self.final_blank.where(over, blank), self.final_run.where(over, run)))
        return after[-2::-1], start.map(lambda x, _: x[:, 0])

    def _forward(self, after: list[tuple[Sum, Sum]], total: Sum) -> tuple[Tensor, Tensor]:
        """Sum what ends in each state, frame by frame, and join it with what follows."""
        blank = run = self._none(self.final_blank.log.shape, self.at_blank)
        enter = self._none(blank.log.shape[:2], self.at_blank)
        enter.log[:, 0] = 0.0
        posterior, covariance = [], []
        for frame, (blank_after, run_after) in enumerate(after):
            run = self._advance(run.plus(blank), enter.only(self.touches))
            run = run.through(self.at_run[frame])
            blank = self._advance(blank, enter).through(self.at_blank[frame])
            enter = run.over(2).map(lambda x, none: F.pad(x[:, :-1], (1, 0), value=none))
            gamma, cov = _join(blank, blank_after, total)
            gamma_run, cov_run = _join(run, run_after, total)
            posterior.append(torch.cat((gamma.sum(1, keepdim=True), gamma_run[:, :-1]), 1))
            covariance.append(torch.cat((cov.sum(1, keepdim=True), cov_run[:, :-1]), 1))
        return torch.stack(posterior), torch.stack(covariance)


def _join(before: Sum, after: Sum, total: Sum) -> tuple[Tensor, Tensor]:
    """Return posterior and covariance of the states at a frame, ``(n, segments)`` each."""
    gamma = (before.log + after.log - total.log[:, None, None]).exp()
    if before.mean is None or after.mean is None or total.mean is None:
        return gamma.sum(2), torch.zeros_like(total.log)[:, None].expand(gamma.shape[:2])
    excess = before.mean + after.mean - total.mean[:, None, None]
    return gamma.sum(2), (gamma * excess).sum(2)
