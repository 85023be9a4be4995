"""Base class of the CTC losses: call signature, what a loss needs, reduction and terms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Integral, Real
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, TypeVar, cast, get_args

import torch
from torch import Tensor, nn

from dctc.ctc import Labels, Logits, pack_labels
from dctc.ctc.labels import Integers
from dctc.ctc.linear import outline

Reduction = Literal["none", "sum", "batchmean", "mean"]
TermsT = TypeVar("TermsT", bound=NamedTuple)
P = ParamSpec("P")
R = TypeVar("R")


class Range(NamedTuple):
    """Numbers that an option may be, both ends included, and what a message says of them."""

    low: float
    high: float
    expected: str


FINITE = Range(-sys.float_info.max, sys.float_info.max, "a finite number")
NOT_NEGATIVE = Range(0.0, sys.float_info.max, "a finite number of at least 0")
POSITIVE = Range(sys.float_info.min, sys.float_info.max, "a finite number above 0")
SHARE = Range(0.0, 1.0, "a number from 0 to 1")
COUNT = Range(1, sys.maxsize, "a whole number of at least 1")
CLASS = Range(0, sys.maxsize, "the number of a class")
# What an option may be: a number in a range, or one of some values
Allowed = Range | tuple[Any, ...]


def check_option(name: str, value: Any, allowed: Allowed) -> None:
    """Refuse a value that an option cannot have.

    Raises:
        ValueError: If it is none of the allowed ones; the message names them.
    """
    if not isinstance(allowed, Range):
        if value not in allowed:
            raise ValueError(f"{name} {value!r}: not one of {', '.join(map(str, allowed))}")
        return
    number = isinstance(value, Real) and not isinstance(value, bool)
    whole = not isinstance(allowed.low, int) or isinstance(value, Integral)
    if not (number and whole and allowed.low <= value <= allowed.high):
        raise ValueError(f"{name} {value!r}: {allowed.expected} is expected")


def not_compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function as it is inside of what :func:`torch.compile` compiles.

    The loops over frames would take a minute to compile, and gain nothing by it.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if torch.compiler.is_compiling():  # as a decorator, disable would import the compiler
            return torch.compiler.disable(function)(*args, **kwargs)
        return function(*args, **kwargs)

    return call


class RegularizedTerms(NamedTuple):
    """Terms of a regularised CTC loss for each sample, unweighted.

    Attributes:
        nll: ``(n,)``, the CTC term, nats, not divided by the label's length.
        regularizer: ``(n,)``, what the loss adds to it, in the units that the loss names.
        feasible: ``(n,)`` bool, whether some path spells the label: it fits its frames, and no
            logits of -inf make it impossible. If not, the sample is 0 in both terms.
    """

    nll: Tensor
    regularizer: Tensor
    feasible: Tensor

    def weighted(self, regularizer: float, nll: float = 1.0) -> Tensor:
        """Return the sum of both terms with these weights, ``(n,)``.

        A regularizer of weight 0 is left out: it may be infinite, and 0 times that is NaN.
        """
        weighted = nll * self.nll
        return weighted + regularizer * self.regularizer if regularizer else weighted


class Extras(NamedTuple):
    """What a loss may use besides logits and labels; None if missing. See :mod:`dctc.losses`."""

    features: Tensor | None = None
    alignment: Tensor | None = None
    second: Tensor | None = None
    teacher: Tensor | None = None


class SequenceLoss(nn.Module, Generic[TermsT]):
    """Loss of frame-wise logits and labels, called as :class:`torch.nn.CTCLoss` is, on batches.

    A loss says what it ``needs``, which ``options`` it has, and defines :meth:`_per_sample`, and
    :meth:`_terms` if it has terms. Options are keywords, checked whenever they are set.

    Args:
        blank: Class of the blank.
        reduction: Of the losses of the samples, see :func:`reduce`.
        zero_infinity: As of :class:`torch.nn.CTCLoss`, for calls written for it. Infeasible
            samples are always 0 here; False is refused.

    Raises:
        ValueError: If an option cannot have its value, or an argument of a call does not fit.

    Attributes:
        needs: Names of the keywords that it needs in training, see :mod:`dctc.losses`.
        options: What each option may be; ``print(loss)`` shows them first.
        fused: Whether it computes the last linear layer too, see :class:`dctc.ctc.LinearLogits`.
            Subclasses do not inherit it, as their methods may need the whole logits.
    """

    needs: frozenset[str] = frozenset()
    fused: bool = False
    options: Mapping[str, Allowed] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.fused = vars(cls).get("fused", False)

    def __init__(
        self,
        *,
        blank: int = 0,
        reduction: Reduction = "batchmean",
        zero_infinity: bool | None = None,
    ) -> None:
        super().__init__()
        if zero_infinity is not None and not zero_infinity:
            raise ValueError(
                "zero_infinity=False: a label that does not fit its frames is always 0 here, as "
                "with torch's zero_infinity=True; leave the option out"
            )
        self.blank = blank
        self.reduction: Reduction = reduction

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; an option must be allowed."""
        if name in (allowed := self.allowed()):
            check_option(name, value, allowed[name])
        super().__setattr__(name, value)

    @classmethod
    def allowed(cls) -> dict[str, Allowed]:
        """Return what each option may be, by name."""
        return {**cls.options, "blank": CLASS, "reduction": get_args(Reduction)}

    @not_compiled
    def forward(
        self,
        logits: Logits,
        targets: Integers,
        input_lengths: Integers,
        target_lengths: Integers,
        *,
        features: Tensor | None = None,
        alignment: Tensor | None = None,
        **needed: Tensor | None,
    ) -> Tensor:
        """Return the loss; unused features and alignment are ignored.

        Args:
            logits: ``(t, n, c)`` logits or log probabilities; or a :class:`dctc.ctc.LinearLogits`,
                which all losses take, and those that are ``fused`` never compute as a whole.
            targets: Padded ``(n, s)`` or concatenated ``(sum(target_lengths),)`` classes; this and
                the lengths may be tensors, arrays or lists.
            input_lengths: ``(n,)`` valid frames.
            target_lengths: ``(n,)`` label lengths.
            features: ``(t, n, d)``, what the logits are made of.
            alignment: ``(t, n)``, the class of each frame; -1 leaves one out.
            **needed: ``second`` or ``teacher``, ``(t, n, c)`` logits, if the loss ``needs`` them.

        Returns:
            A scalar, or ``(n,)`` for reduction ``none``, in the units that the loss names.

        Raises:
            TypeError: If there is a keyword that the loss does not need.
            ValueError: If shapes or lengths do not fit, or in training a needed tensor is missing.
        """
        labels = pack_labels(outline(logits), targets, input_lengths, target_lengths, self.blank)
        extras = self._extras(features=features, alignment=alignment, **needed)
        per_sample = self._per_sample(self._computed(logits), labels, extras)
        return reduce(per_sample, labels.lengths, self.reduction)

    @torch.no_grad()
    def terms(
        self,
        logits: Logits,
        targets: Integers,
        input_lengths: Integers,
        target_lengths: Integers,
        **extras: Tensor | None,
    ) -> TermsT:
        """Return the terms of each sample, unweighted and without gradient.

        Arguments as of :meth:`forward`.

        Returns:
            :class:`dctc.ctc.CTCTerms` of CTC and DCTC, :class:`RegularizedTerms` of the others;
            each loss says what they hold.

        Raises:
            NotImplementedError: If the loss has no separate terms.
        """
        labels = pack_labels(outline(logits), targets, input_lengths, target_lengths, self.blank)
        return self._terms(self._computed(logits), labels, self._extras(**extras))

    def _computed(self, logits: Logits) -> Tensor:
        """Return the logits, or as they are those of a linear layer for a loss that is fused."""
        return cast(Tensor, logits) if self.fused or isinstance(logits, Tensor) else logits.dense()

    def _extras(self, **given: Tensor | None) -> Extras:
        for name in given:
            if name not in self.needs | {"features", "alignment"}:
                raise TypeError(f"{type(self).__name__} takes no {name}")
        return Extras(**given)

    def _needed(self, extras: Extras, expected: tuple[int, ...]) -> Tensor | None:
        """Return the one thing that the loss needs; None if it is missing in evaluation.

        Raises:
            ValueError: If it is missing in training, or has another shape than the expected one.
        """
        (name,) = self.needs
        given: Tensor | None = getattr(extras, name)
        if given is None and not self.training:
            return None
        if given is None or given.shape != expected:
            found = "none" if given is None else str(tuple(given.shape))
            raise ValueError(f"{name}: expected {tuple(expected)}, got {found}")
        return given

    def _per_sample(self, logits: Tensor, labels: Labels, extras: Extras) -> Tensor:
        """Return the loss of each sample, ``(n,)``."""
        raise NotImplementedError

    def _terms(self, logits: Tensor, labels: Labels, extras: Extras) -> TermsT:
        """Return the terms of each sample, unweighted."""
        raise NotImplementedError(f"{type(self).__name__} has no separate terms")

    def extra_repr(self) -> str:
        """Show the options in ``print(loss)``."""
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in self.allowed())


def reduce(per_sample: Tensor, target_lengths: Tensor, reduction: Reduction) -> Tensor:
    """Reduce per-sample losses.

    - ``none``: as they are, ``(n,)``.
    - ``sum``: their sum.
    - ``batchmean``: sum / n, in nats per sample (the authors').
    - ``mean``: each divided by max(target length, 1), then the mean (:class:`torch.nn.CTCLoss`'s).

    Infeasible samples count 0 and stay in the denominator, as in torch.

    Args:
        per_sample: ``(n,)`` losses.
        target_lengths: ``(n,)`` label lengths.
        reduction: One of the four.
    """
    if reduction == "none":
        return per_sample
    if reduction == "sum":
        return per_sample.sum()
    if reduction == "batchmean":
        return per_sample.mean()
    return (per_sample / target_lengths.clamp(min=1)).mean()
