"""The two terms of DCTC, per sample: the CTC loss and the frame-wise self-distillation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.alignment import NO_CLASS, Estimator, estimate_alignment
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import candidate_classes, forward_backward, valid_frames


class CTCTerms(NamedTuple):
    """The terms of a loss for each sample.

    Attributes:
        nll: ``(n,)``, -log p(label | logits), nats, not divided by the label's length.
        distill: ``(n,)``, cross-entropy towards z*, nats, summed over frames.
        alignment: ``(t, n)`` int64, z*; -1 on frames that take no part.
        feasible: ``(n,)`` bool; an infeasible sample is 0 in both terms.
    """

    nll: Tensor
    distill: Tensor
    alignment: Tensor
    feasible: Tensor


def ctc_terms(
    logits: Tensor,
    labels: Labels,
    blank: int,
    estimator: Estimator = "likelihood",
    alignment: Tensor | None = None,
    margin: float = 0.0,
    scale: float = 1.0,
) -> CTCTerms:
    """Compute both terms of DCTC (authors' code, steps 1 to 5).

    Half precision is computed in float32; the lattice always in float64.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        estimator: How z* is estimated.
        alignment: ``(t, n)`` classes to distil towards in place of the estimate; -1 leaves a frame
            out.
        margin: Additive margin m on the logit of z*, in the cross-entropy only.
        scale: Factor s on the logits.

    Raises:
        ValueError: If the alignment has another shape or holds a class that does not exist.
    """
    log_probs, emissions = _emissions(logits, labels, blank, scale)
    emissions = _sharpened(log_probs, emissions, candidate_classes(labels, blank))
    lattice = forward_backward(emissions, labels)
    if alignment is None:
        alignment = estimate_alignment(
            estimator, log_probs.detach(), emissions.detach(), lattice, labels, blank
        )
    else:
        alignment = _checked(alignment, log_probs, labels)
    distill = _cross_entropy(log_probs, alignment, scale * margin)
    dtype = log_probs.dtype
    return CTCTerms(lattice.nll.to(dtype), distill.to(dtype), alignment, labels.feasible)


def ctc_nll(logits: Tensor, labels: Labels, blank: int, scale: float = 1.0) -> Tensor:
    """Compute the first term alone: ``(n,)`` nats, 0 for infeasible samples.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        scale: Factor s on the logits.
    """
    log_probs, emissions = _emissions(logits, labels, blank, scale)
    return forward_backward(emissions, labels).nll.to(log_probs.dtype)


def _emissions(logits: Tensor, labels: Labels, blank: int, scale: float) -> tuple[Tensor, Tensor]:
    """Return log probabilities ``(t, n, c)`` and those of the candidates ``(t, n, s + 1)``."""
    dtype = logits.dtype if logits.dtype == torch.float64 else torch.float32
    if scale != 1.0:
        logits = logits.to(dtype) * scale  # in this order: half precision could overflow
    log_probs = torch.log_softmax(logits, 2, dtype=dtype)
    columns = candidate_classes(labels, blank).expand(len(logits), -1, -1)
    return log_probs, log_probs.gather(2, columns).double()


def _sharpened(log_probs: Tensor, emissions: Tensor, classes: Tensor) -> Tensor:
    """Recompute the best class of confident frames from the others: log P = log(1 - their sum).

    There the likelihood scores of the candidates differ by about 1 - P, which float32 loses as P
    nears 1: from logits 20 above the others on, z* would be another one on 15 to 30 % of the frames
    than in float64. The gradient stays that of the emissions.

    Args:
        log_probs: ``(t, n, c)``.
        emissions: ``(t, n, s + 1)`` float64, those of the candidates.
        classes: ``(n, s + 1)``, the candidates.
    """
    if log_probs.dtype == torch.float64:
        return emissions
    with torch.no_grad():
        best = log_probs.argmax(2, keepdim=True)  # (t, n, 1)
        others = log_probs.exp().scatter_(2, best, 0.0).sum(2, keepdim=True).double()
        confident = (classes == best) & (others < 0.5)
        correction = torch.where(confident, torch.log1p(-others) - emissions, 0.0)
    return emissions + correction


def _checked(alignment: Tensor, log_probs: Tensor, labels: Labels) -> Tensor:
    t, n, c = log_probs.shape
    if alignment.shape != (t, n) or alignment.is_floating_point():
        raise ValueError(
            f"alignment: expected integers ({t}, {n}), got {alignment.dtype} "
            f"{tuple(alignment.shape)}"
        )
    wrong = (alignment < NO_CLASS) | (alignment >= c)
    if wrong.any():
        frame, i = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"alignment: sample {i}, frame {frame} is class {int(alignment[frame, i])}, "
            f"outside {NO_CLASS}..{c - 1}"
        )
    alignment = alignment.long().to(log_probs.device)
    return alignment.masked_fill(~valid_frames(labels, t), NO_CLASS)


def _cross_entropy(log_probs: Tensor, alignment: Tensor, margin: float) -> Tensor:
    """Sum -log softmax(x - margin onehot(z))[z] over the frames of each sample, float64 (n,)."""
    target = alignment.clamp(min=0)[:, :, None]  # (t, n, 1)
    if margin:
        # a second log_softmax, since log(1 - p_z + p_z exp(-margin)) is lost to rounding at p_z ~ 1
        lowered = torch.full_like(target, -margin, dtype=log_probs.dtype)
        log_probs = torch.log_softmax(log_probs.scatter_add(2, target, lowered), 2)
    loss = -log_probs.gather(2, target)[:, :, 0].double()  # (t, n)
    return loss.masked_fill(alignment == NO_CLASS, 0.0).sum(0)
