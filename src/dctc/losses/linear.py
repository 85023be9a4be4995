"""DCTC loss of features and the last linear layer (ours), for charsets of thousands."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dctc.ctc import LinearLogits
from dctc.ctc.labels import Integers
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
    **options: Any,
) -> Tensor:
    """Return what ``DCTCLoss(**options)(linear(features, weight, bias), targets, ...)`` would.

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
        **options: Of :class:`dctc.DCTCLoss`, such as ``distill_weight``.

    Returns:
        A scalar, or ``(n,)`` for reduction ``none``; nats.

    Raises:
        ValueError: If an argument does not fit.
    """
    loss = DCTCLoss(**options)
    logits = LinearLogits.of(features, weight, bias)
    value: Tensor = loss(logits, targets, input_lengths, target_lengths, alignment=alignment)
    return value
