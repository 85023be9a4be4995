"""What the losses of a sequence share: how they are called, reduced and read term by term."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from dctc.ctc import Labels, pack_labels
from dctc.ctc.labels import Lengths
from dctc.losses.reduction import Reduction, check_reduction, reduce

TermsT = TypeVar("TermsT", bound=NamedTuple)


class Extras(NamedTuple):
    """What a loss may use besides logits and labels, as :mod:`dctc.losses` says; None if missing.

    Attributes:
        features: ``(t, n, d)``, what the logits are made of.
        alignment: ``(t, n)``, the class of each frame; -1 leaves one out.
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

    def __init__(self, blank: int = 0, reduction: Reduction = "batchmean") -> None:
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
        """Return the loss; features and alignment that it has no use for are not looked at.

        Args:
            logits: ``(t, n, c)`` logits or log probabilities.
            targets: Padded ``(n, s)`` or concatenated ``(sum(target_lengths),)`` classes.
            input_lengths: ``(n,)`` valid frames.
            target_lengths: ``(n,)`` label lengths.
            features: ``(t, n, d)``, what the logits are made of.
            alignment: ``(t, n)``, the class of each frame; -1 leaves one out.
            second: ``(t, n, c)``, logits of a second view of the same images.
            teacher: ``(t, n, c)``, logits of a teacher on the same images.

        Returns:
            A scalar, or ``(n,)`` for reduction ``none``, in the units that the loss names.

        Raises:
            TypeError: If the loss takes no second view or no teacher.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        extras = self._extras(features, alignment, second, teacher)
        return reduce(self._per_sample(logits, labels, extras), labels.lengths, self.reduction)

    def _extras(
        self,
        features: Tensor | None,
        alignment: Tensor | None,
        second: Tensor | None,
        teacher: Tensor | None,
    ) -> Extras:
        for name, given, need in (("second", second, "views"), ("teacher", teacher, "teacher")):
            if given is not None and need not in self.needs:
                raise TypeError(f"{type(self).__name__} takes no {name}")
        return Extras(features, alignment, second, teacher)

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        """Return the loss of each sample, ``(n,)``."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        names = (*self.options, "blank", "reduction")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


class TermsLoss(SequenceLoss, Generic[TermsT]):
    """A loss whose terms can be read one by one; :meth:`_terms` computes them."""

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
    ) -> TermsT:
        """Return the terms of each sample, unweighted and without gradient.

        Arguments as of :meth:`forward`.

        Returns:
            :class:`dctc.ctc.CTCTerms` of CTC and DCTC, :class:`dctc.losses.RegularizedTerms` of the
            others; each loss says what they hold.
        """
        labels = pack_labels(logits, targets, input_lengths, target_lengths, self.blank)
        extras = self._extras(features, alignment, second, teacher)
        return self._terms(logits, labels, extras)

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> TermsT:
        """Return the terms of each sample, unweighted."""
        raise NotImplementedError
