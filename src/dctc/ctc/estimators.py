"""Estimators of the latent alignment z*, the class that each frame stands for given the label.

- ``likelihood``: argmax_k gamma/P, the authors' rule z* = argmin_k G/P (their code; G is the CTC
  gradient P - gamma). A MAP estimate under a flat prior over classes.
- ``posterior``: argmax_k gamma, the MAP estimate of a frame's class (ours, for comparison).
- ``viterbi``: the best path of the lattice; the only one that always collapses to the label.
- ``greedy``: argmax_k P over all classes, without looking at the label.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.labels import Labels, candidate_classes
from dctc.ctc.lattice import samples_last

Estimator = Literal["likelihood", "posterior", "viterbi", "greedy"]
ESTIMATORS: tuple[str, ...] = get_args(Estimator)

NO_CLASS = -1  # alignment of a frame that takes no part (padding, infeasible sample)
PROBABILITY_FLOOR = 1e-8  # authors' code: G / max(P, 1e-8)
# Two scores this close count as a tie (ours); otherwise rounding would decide in symmetric lattices
# and where P is 1. The more probable class wins; of equally probable ones the lowest.
TIE = 1e-9


def best_candidate(
    posterior: Tensor, emissions: Tensor, labels: Labels, blank: int, likelihood: bool
) -> Tensor:
    """Return the class of the best score, ``(t, n)`` int64, ties decided as :data:`TIE` says.

    Args:
        posterior: ``(t, n, s + 1)`` float64 gamma of the candidate classes.
        emissions: ``(t, n, s + 1)`` float64, their log probabilities.
        labels: The labels.
        blank: Class of the blank.
        likelihood: Whether the score is gamma/P, not gamma.
    """
    score = posterior
    if likelihood:
        probs = emissions.exp()
        # -G / P; the columns of repeats have gamma 0, hence -1 at most, and never win
        score = (posterior - probs).div_(probs.clamp_(min=PROBABILITY_FLOOR))
        del probs  # as large as the emissions
    best = score.amax(2, keepdim=True)
    # what is less is left out, not what is equal kept: NaN ties with all, and some class is found
    less = score < best.sub(best.abs().clamp_(min=1.0), alpha=TIE)
    likely = torch.where(less, -torch.inf, emissions)
    less = likely < likely.amax(2, keepdim=True) - TIE
    # as floating point, exact to 2**53: torch's minimum of integers is many times slower
    classes = samples_last(candidate_classes(labels, blank).double()[None])
    return torch.where(less, torch.inf, classes).amin(2).long()


def viterbi_alignment(emissions: Tensor, labels: Labels, blank: int) -> Tensor:
    """Return the most probable path through the lattice of each label.

    Of equally probable paths the one that reaches the later states first is taken: "ab" over three
    uniform frames is "a", "b", blank.

    Args:
        emissions: ``(t, n, s + 1)`` log probabilities of the candidate classes.
        labels: The labels.
        blank: Class of the blank.

    Returns:
        ``(t, n)`` int64 classes; meaningless on padded frames and infeasible samples.
    """
    t, n, _ = emissions.shape
    s = labels.classes.shape[1]
    device = emissions.device
    state = torch.arange(2 * s + 1, device=device)  # even: blank, odd: character (state - 1) / 2
    column = torch.where(state % 2 == 1, (state + 1) // 2, 0)
    emitted = emissions[:, :, column]  # (t, n, 2s + 1)
    classes = candidate_classes(labels, blank)[:, column]  # (n, 2s + 1)
    # a character may follow the previous one directly unless both are equal
    skips = torch.zeros_like(classes, dtype=torch.bool)
    skips[:, 2:] = (classes[:, 2:] != blank) & (classes[:, 2:] != classes[:, :-2])

    score = emitted[0].masked_fill(state > 1, -torch.inf)
    steps = torch.zeros((t, n, 2 * s + 1), dtype=torch.int64, device=device)
    for frame in range(1, t):
        by_one, by_two = (F.pad(score, (k, 0), value=-torch.inf)[:, :-k] for k in (1, 2))
        came_from = torch.stack((score, by_one, by_two.masked_fill(~skips, -torch.inf)))
        best, step = came_from.max(0)
        active = frame < labels.frames[:, None]
        steps[frame] = torch.where(active, step, 0)
        score = torch.where(active, best + emitted[frame], score)

    # (n, 1): the final blank; last - 1 is the last character
    last = 2 * labels.lengths.clamp(max=s)[:, None]
    ends = torch.cat((last, (last - 1).clamp(min=0)), 1)
    current = ends.gather(1, score.gather(1, ends).argmax(1, keepdim=True))  # (n, 1)
    path = torch.empty((t, n), dtype=torch.int64, device=device)
    for frame in reversed(range(t)):
        path[frame] = classes.gather(1, current)[:, 0]
        current = (current - steps[frame].gather(1, current)).clamp(min=0)
    return path


def collapse(alignment: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """Merge runs and remove blanks, as CTC reads a path.

    Args:
        alignment: ``(t, n)`` classes; frames of :data:`NO_CLASS` are not read.
        blank: Class of the blank.

    Returns:
        Collapsed classes ``(n, t)``, padded with the blank, and their lengths ``(n,)``.

    Example:
        >>> classes, lengths = collapse(torch.tensor([[1], [1], [0], [1], [2]]), blank=0)
        >>> classes[0, : lengths[0]].tolist()
        [1, 1, 2]
    """
    starts_run = torch.ones_like(alignment, dtype=torch.bool)
    starts_run[1:] = alignment[1:] != alignment[:-1]
    keep = starts_run & (alignment != blank) & (alignment != NO_CLASS)
    t, n = alignment.shape
    # kept frames go to their rank among the kept ones, all others to a spare last column
    rank = torch.where(keep, keep.cumsum(0) - 1, t).T  # (n, t)
    classes = torch.full((n, t + 1), blank, dtype=alignment.dtype, device=alignment.device)
    classes.scatter_(1, rank, alignment.T)
    return classes[:, :t], keep.sum(0)
