"""What the losses of a sequence share: how they are called, reduced and told term by term."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from dctc.ctc import Labels, pack_labels
from dctc.ctc.labels import Lengths
from dctc.losses.reduction import Reduction, check_reduction, reduce
from dctc.losses.terms import RegularizedTerms

Terms = TypeVar("Terms", bound=NamedTuple)


class Extras(NamedTuple):
    """What a loss may use besides logits and labels, as :mod:`dctc.losses` says; None if missing.

    Attributes:
        features: ``(t, n, d)``, what the logits are made of.
        alignment: ``(t, n)``, the class of each frame.
        second: ``(t, n, c)``, logits of a second view.
        teacher: ``(t, n, c)``, logits of a teacher.
    """

    features: Tensor | None
    alignment: Tensor | None
    second: Tensor | None
    teacher: Tensor | None


class SequenceLoss(nn.Module):
    """A loss of frame-wise logits and labels; :meth:`_per_sample` computes it.

    Args:
        blank: Class of the blank.
        reduction: Of the losses of the samples, see :func:`dctc.losses.reduction.reduce`.

    Raises:
        ValueError: If the reduction is unknown, or an argument of a call does not fit.

    Attributes:
        needs: What it needs in training besides logits and labels, see :mod:`dctc.losses`.
        options: Names of the attributes that ``print(loss)`` shows first.
    """

    needs: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()

    def __init__(self, blank: int, reduction: Reduction) -> None:
        super().__init__()
        check_reduction(reduction)
        self.blank = blank
        self.reduction: Reduction = reduction

    def forward(
        self,
        logits: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
        *,
        features: Tensor | None = None,
        alignment: Tensor | None = None,
        second: Tensor | None = None,
        teacher: Tensor | None = None,
    ) -> Tensor:
        """Return the loss.

        Args:
            logits: ``(t, n, c)`` logits or log probabilities.
            targets: Padded ``(n, s)`` or concatenated ``(sum(target_lengths),)`` classes.
            input_lengths: ``(n,)`` valid frames.
            target_lengths: ``(n,)`` label lengths.
            features: ``(t, n, d)``, what the logits are made of.
            alignment: ``(t, n)``, the class of each frame, which DCTC takes in place of z*; -1
                leaves a frame out.
            second: ``(t, n, c)``, logits of a second view of the same images.
            teacher: ``(t, n, c)``, logits of a teacher on the same images.

        What a loss has no use for is not looked at.

        Returns:
            A scalar, or ``(n,)`` for reduction ``none``; nats, and what the loss adds to them.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        extras = Extras(features, alignment, second, teacher)
        return reduce(self._per_sample(logits, labels, extras), labels.lengths, self.reduction)

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        """Return the loss of each sample, ``(n,)``."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        names = (*self.options, "blank", "reduction")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


class TermsLoss(SequenceLoss, Generic[Terms]):
    """A loss of several terms, which can be read one by one; :meth:`_terms` computes them."""

    @torch.no_grad()
    def terms(
        self,
        logits: Tensor,
        targets: Tensor,
        input_lengths: Lengths,
        target_lengths: Lengths,
        *,
        features: Tensor | None = None,
        alignment: Tensor | None = None,
        second: Tensor | None = None,
        teacher: Tensor | None = None,
    ) -> Terms:
        """Return the terms of each sample, unweighted and without gradient.

        Arguments as of :meth:`forward`.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        return self._terms(logits, labels, Extras(features, alignment, second, teacher))

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> Terms:
        raise NotImplementedError


class RegularizedLoss(TermsLoss[RegularizedTerms]):
    """CTC and a term that regularises it, each with its weight."""

    def _weights(self) -> tuple[float, float]:
        """Return the weights of CTC and of what regularises it."""
        raise NotImplementedError

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        nll, regularizer = self._weights()
        return self._terms(logits, labels, extras).weighted(regularizer, nll)
