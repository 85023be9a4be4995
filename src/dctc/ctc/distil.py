"""Cross-entropy towards an alignment (self-distillation), and the gradient of both terms.

With P = softmax(s x) and the posterior gamma, the gradient of beta CTC + alpha CE with respect to
s x is (alpha + beta) P - beta gamma - alpha onehot(z*), so the lattice gives all that it needs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dctc.ctc.estimators import NO_CLASS, Estimator
from dctc.ctc.labels import Labels, valid_frames
from dctc.ctc.lattice import Lattice


class Options(NamedTuple):
    """Options of both terms.

    Attributes:
        blank: Class of the blank.
        estimator: How z* is estimated; None leaves the cross-entropy out, unless there is an
            alignment.
        alignment: ``(t, n)`` classes to distil towards in place of the estimate; -1 leaves a frame
            out.
        margin: Additive margin m on the logit of z*, in the cross-entropy only.
        scale: Factor s on the logits, positive.
    """

    blank: int
    estimator: Estimator | None
    alignment: Tensor | None = None
    margin: float = 0.0
    scale: float = 1.0


class FrameWeights(NamedTuple):
    """Coefficients of the gradient.

    Attributes:
        posterior: ``(t, n, s + 1)`` of the candidate classes.
        mass: ``(t, n)`` float64, sum of the posterior: 1, or 0 where the frame takes no part.
        alignment: ``(t, n)`` z*.
        chosen: ``(t, n)`` float64, log probability of z*; 0 where the frame takes no part.
        at_z: ``(t, n)`` float64, gradient of the cross-entropy at z*.
        elsewhere: ``(t, n)`` float64, that at any other class, divided by its probability.
    """

    posterior: Tensor
    mass: Tensor
    alignment: Tensor
    chosen: Tensor
    at_z: Tensor
    elsewhere: Tensor

    def combined(
        self, grad_nll: Tensor | None, grad_distill: Tensor | None
    ) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        """Return what a gradient of the logits is made of, from those of both terms, ``(n,)``.

        Returns:
            What P is multiplied by, ``(t, n)``; z*, None without cross-entropy; the gradient at z*,
            ``(t, n)``; what is added at the candidate classes, ``(t, n, s + 1)``.
        """
        zero = self.mass.new_zeros(())
        beta = zero if grad_nll is None else grad_nll.double()  # () or (n,)
        alpha = zero if grad_distill is None else grad_distill.double()
        return (
            beta * self.mass + alpha * self.elsewhere,
            None if grad_distill is None else self.alignment,
            beta * self.mass * self.chosen.exp() + alpha * self.at_z,
            -beta[..., None] * self.posterior,
        )


class FrameTerms(NamedTuple):
    """Both terms, and what their gradient is made of.

    Attributes:
        nll: ``(n,)`` -log p(label), nats.
        distill: ``(n,)`` cross-entropy towards z*, nats.
        readable: ``(n,)`` bool, whether some path spells the label.
        weights: Coefficients of the gradient.
    """

    nll: Tensor
    distill: Tensor
    readable: Tensor
    weights: FrameWeights


def distil(
    chosen: Tensor, alignment: Tensor, lattice: Lattice, labels: Labels, options: Options
) -> tuple[Tensor, FrameWeights]:
    """Return the cross-entropy ``(n,)`` towards an alignment, and the coefficients of its gradient.

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
        lattice.posterior,
        mass,
        alignment,
        chosen.masked_fill(mass == 0.0, 0.0),  # whatever stands there, NaN too
        at_z.masked_fill(off, 0.0),
        elsewhere.masked_fill(off, 0.0),
    )
    return distill.masked_fill(off, 0.0).sum(0), weights


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
