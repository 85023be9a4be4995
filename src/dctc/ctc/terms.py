"""The two terms of DCTC, per sample: the CTC loss and the frame-wise self-distillation."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.alignment import NO_CLASS, Estimator
from dctc.ctc.fused import FusedTerms, Options
from dctc.ctc.labels import Labels
from dctc.ctc.lattice import valid_frames


class CTCTerms(NamedTuple):
    """The terms of a loss for each sample.

    Attributes:
        nll: ``(n,)``, -log p(label | logits), nats, not divided by the label's length.
        distill: ``(n,)``, cross-entropy towards z*, nats, summed over frames.
        alignment: ``(t, n)`` int64, z*; -1 on frames that take no part.
        feasible: ``(n,)`` bool, whether some path spells the label: it fits its frames, and no
            logits of -inf make it impossible. If not, the sample is 0 in both terms.
    """

    nll: Tensor
    distill: Tensor
    alignment: Tensor
    feasible: Tensor


def ctc_terms(
    logits: Tensor,
    labels: Labels,
    blank: int,
    estimator: Estimator | None = "likelihood",
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
        estimator: How z* is estimated; None leaves the cross-entropy out, unless there is an
            alignment.
        alignment: ``(t, n)`` classes to distil towards in place of the estimate; -1 leaves a frame
            out.
        margin: Additive margin m on the logit of z*, in the cross-entropy only.
        scale: Factor s on the logits.

    Raises:
        ValueError: If the alignment has another shape or holds a class that does not exist.
    """
    if alignment is not None:
        alignment = check_alignment(alignment, logits, labels)
    options = Options(blank, estimator, alignment, margin, scale)
    return CTCTerms(*FusedTerms.apply(logits, labels, options))


def ctc_nll(logits: Tensor, labels: Labels, blank: int, scale: float = 1.0) -> Tensor:
    """Compute the first term alone: ``(n,)`` nats, 0 for infeasible samples.

    Args:
        logits: ``(t, n, c)`` logits or log probabilities.
        labels: The labels.
        blank: Class of the blank.
        scale: Factor s on the logits.
    """
    nll, *_ = FusedTerms.apply(logits, labels, Options(blank, None, scale=scale))
    return nll


def check_alignment(alignment: Tensor, logits: Tensor, labels: Labels) -> Tensor:
    """Return a given alignment on the device of the logits, -1 where nothing takes part.

    Raises:
        ValueError: If it has another shape, or holds a class that does not exist on a frame that
            takes part.
    """
    t, n, c = logits.shape
    integers = not (alignment.is_floating_point() or alignment.dtype == torch.bool)
    if alignment.shape != (t, n) or not integers:
        raise ValueError(
            f"alignment: expected integers ({t}, {n}), got {alignment.dtype} "
            f"{tuple(alignment.shape)}"
        )
    alignment = alignment.to(logits.device, torch.long)  # first: bytes wrap around at -1 and at c
    alignment = alignment.masked_fill(~valid_frames(labels, t), NO_CLASS)
    wrong = (alignment < NO_CLASS) | (alignment >= c)
    if wrong.any():
        frame, i = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"alignment: sample {i}, frame {frame} is class {int(alignment[frame, i])}, "
            f"outside {NO_CLASS}..{c - 1}"
        )
    return alignment
