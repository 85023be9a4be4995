"""DCTC loss: CTC with self-distillation towards the latent alignment (arXiv 2308.08806)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from dctc.ctc import ESTIMATORS, CTCTerms, Estimator, Labels, Logits, compute_dtype, ctc_terms
from dctc.losses.base import (
    FINITE,
    NOT_NEGATIVE,
    POSITIVE,
    Allowed,
    Extras,
    Reduction,
    SequenceLoss,
)

GIVEN: Literal["given"] = "given"  # the alignment comes with each call, in place of an estimate
Target = Estimator | Literal["given"]


class DCTCLoss(SequenceLoss[CTCTerms]):
    """L = beta * CTC(x, y) + alpha * sum_t CE(P_t, z*_t).

    P is the softmax of the logits, z* the model's own alignment with the label, estimated in closed
    form from P and the CTC gradient G = P - gamma: z*_t = argmin_k G_tk / P_tk, which is
    argmax_k gamma_tk / P_tk. No gradient flows through z*. Source: the authors' released code.

    Nats. The cross-entropy is summed over a sample's own valid frames, so the weight of the term
    grows with alpha * t. A sample whose label does not fit its frames is 0 in both terms, unless
    ``mask_infeasible`` is off. With ``distill_weight=0`` this is CTC.

    An ``alignment`` that comes with a call is distilled towards in place of z*, whatever the
    estimator; -1 leaves a frame out. ``terms`` holds both terms and z*.

    Args:
        distill_weight: alpha.
        ctc_weight: beta.
        estimator: How z* is estimated: ``likelihood`` (the authors' rule), ``posterior``,
            ``viterbi`` or ``greedy``; see :mod:`dctc.ctc.estimators`. ``given`` estimates nothing:
            the loss then ``needs`` the alignment with each call in training, and in evaluation is
            CTC without it.
        margin: Additive margin m on the logit of z*; 0 gives plain cross-entropy.
        scale: Factor s on the logits, in both terms; positive.
        blank: Class of the blank.
        reduction: ``none``, ``sum``, ``batchmean`` (the authors') or ``mean``, see
            :func:`dctc.losses.base.reduce`.
        mask_infeasible: False trains each frame of a sample whose label does not fit to blank, as
            the authors' code does; for comparison.
        zero_infinity: Accepted for calls written for :class:`torch.nn.CTCLoss`, see
            :class:`dctc.losses.base.SequenceLoss`.

    Attributes:
        needs: ``{"alignment"}`` if the estimator is ``given``, else empty.
        watch: If set, called in each forward pass with its logits, labels and terms, which have no
            gradient: what logs the terms needs no forward-backward of its own.

    Example:
        >>> import torch
        >>> loss = DCTCLoss(distill_weight=0.1)
        >>> logits = torch.zeros(4, 1, 3, requires_grad=True)
        >>> loss(logits, torch.tensor([[1, 2]]), [4], [2]).backward()
        >>> loss.terms(logits, torch.tensor([[1, 2]]), [4], [2]).alignment[:, 0].tolist()
        [1, 1, 2, 2]
    """

    fused = True
    options: Mapping[str, Allowed] = {
        "distill_weight": NOT_NEGATIVE,
        "ctc_weight": NOT_NEGATIVE,
        "estimator": (*ESTIMATORS, GIVEN),
        "margin": FINITE,
        "scale": POSITIVE,
        "mask_infeasible": (True, False),
    }

    def __init__(
        self,
        *,
        distill_weight: float = 0.1,  # authors' code, default
        ctc_weight: float = 1.0,  # authors' code, default
        estimator: Target = "likelihood",
        margin: float = 0.0,
        scale: float = 1.0,
        blank: int = 0,
        reduction: Reduction = "batchmean",
        mask_infeasible: bool = True,
        zero_infinity: bool | None = None,
    ) -> None:
        super().__init__(blank=blank, reduction=reduction, zero_infinity=zero_infinity)
        self.distill_weight = distill_weight
        self.ctc_weight = ctc_weight
        self.estimator: Target = estimator
        self.margin = margin
        self.scale = scale
        self.mask_infeasible = mask_infeasible
        self.watch: Callable[[Logits, Labels, CTCTerms], None] | None = None

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]  # it is read alone
        """Names of the keywords that it needs in training."""
        return frozenset({"alignment"} if self.estimator == GIVEN else ())

    def _per_sample(self, logits: Logits, labels: Labels, extras: Extras) -> Tensor:
        if self.distill_weight == 0 and self.watch is None:
            terms = ctc_terms(logits, labels, self.blank, estimator=None, scale=self.scale)
        else:
            terms = self._terms(logits, labels, extras)
        if self.watch is not None:
            self.watch(logits.detach(), labels, CTCTerms(*(part.detach() for part in terms)))
        nll = terms.nll if self.ctc_weight == 1 else self.ctc_weight * terms.nll  # few operations
        if not self.distill_weight or self._is_aimless(extras):
            return nll
        return torch.add(nll, terms.distill, alpha=self.distill_weight)

    def _terms(self, logits: Logits, labels: Labels, extras: Extras) -> CTCTerms:
        alignment = extras.alignment
        estimator: Estimator | None = None if self.estimator == "given" else self.estimator
        terms = ctc_terms(logits, labels, self.blank, estimator, alignment, self.margin, self.scale)
        aimless = self._is_aimless(extras)
        if aimless and self.training:
            raise ValueError("estimator 'given' needs an alignment in training")
        if self.mask_infeasible or aimless or bool(labels.feasible.all()):
            return terms
        return self._blank_where_infeasible(logits, labels, terms)

    def _is_aimless(self, extras: Extras) -> bool:
        """Tell whether there is nothing to distil towards."""
        return self.estimator == GIVEN and extras.alignment is None

    def _blank_where_infeasible(self, logits: Logits, labels: Labels, terms: CTCTerms) -> CTCTerms:
        """Distil every valid frame of the infeasible samples towards the blank.

        The CTC gradient of such a sample is 0, so that the authors' z* = argmin_k G/P is class 0,
        their blank, in every frame (their code, steps 2 to 5).
        """
        t, device = len(terms.alignment), terms.alignment.device
        valid = torch.arange(t, device=device)[:, None] < labels.frames  # (t, n)
        which = (~labels.feasible).nonzero()[:, 0]  # (k,)
        if isinstance(logits, Tensor):
            theirs = logits[:, which]
        else:
            theirs = logits._replace(features=logits.features[:, which]).dense()
        scores = self.scale * theirs.to(compute_dtype(theirs))
        scores = scores.where(valid[:, which, None], 0.0)  # (t, k, c)
        lowered = scores.new_zeros(scores.shape[2])
        lowered[self.blank] = self.scale * self.margin
        surprise = -torch.log_softmax(scores - lowered, 2)[:, :, self.blank]  # (t, k)
        added = surprise.where(valid[:, which], 0.0).sum(0)
        return terms._replace(
            distill=terms.distill.index_add(0, which, added),
            alignment=terms.alignment.masked_fill(~labels.feasible & valid, self.blank),
        )
