"""DCTC loss of features and the last linear layer (ours), for charsets of thousands."""

from __future__ import annotations

from torch import Tensor

from dctc.ctc import Estimator, LinearLogits
from dctc.ctc.labels import Integers
from dctc.losses.base import Reduction
from dctc.losses.dctc import DCTCLoss


def dctc_linear_loss(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Integers,
    input_lengths: Integers,
    target_lengths: Integers,
    *,
    alignment: Tensor | None = None,
    distill_weight: float = 0.1,
    ctc_weight: float = 1.0,
    estimator: Estimator = "likelihood",
    margin: float = 0.0,
    scale: float = 1.0,
    blank: int = 0,
    reduction: Reduction = "batchmean",
) -> Tensor:
    """Return what ``DCTCLoss(...)(linear(features, weight, bias), targets, ...)`` would.

    The logits ``(t, n, c)`` are never held as a whole: they are computed for some frames at a time,
    and once more in the backward pass.

    Args:
        features: ``(t, n, d)`` floating point.
        weight: ``(c, d)``.
        bias: ``(c,)`` or None.
        targets: Padded ``(n, s)`` or concatenated ``(sum(target_lengths),)`` classes.
        input_lengths: ``(n,)`` valid frames.
        target_lengths: ``(n,)`` label lengths.
        alignment: ``(t, n)`` classes to distil towards in place of z*; -1 leaves a frame out.
        distill_weight: alpha.
        ctc_weight: beta.
        estimator: How z* is estimated; this and the following as in :class:`dctc.DCTCLoss`.
        margin: m.
        scale: s.
        blank: Class of the blank.
        reduction: See :func:`dctc.losses.base.reduce`.

    Returns:
        A scalar, or ``(n,)`` for reduction ``none``; nats.

    Raises:
        ValueError: If an argument does not fit.
    """
    if estimator == "given" and alignment is None:
        raise ValueError("estimator 'given' needs an alignment")
    loss = DCTCLoss(
        distill_weight=distill_weight,
        ctc_weight=ctc_weight,
        estimator=estimator,
        margin=margin,
        scale=scale,
        blank=blank,
        reduction=reduction,
    )
    logits = LinearLogits.of(features, weight, bias)
    value: Tensor = loss(logits, targets, input_lengths, target_lengths, alignment=alignment)
    return value
