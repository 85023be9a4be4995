"""DCTC loss of features and the last linear layer (ours), for charsets of thousands."""

from __future__ import annotations

import torch
from torch import Tensor

from dctc.ctc import Estimator, pack_labels
from dctc.ctc.distil import Options
from dctc.ctc.labels import Integers
from dctc.ctc.terms import check_alignment, linear_terms
from dctc.losses.base import Reduction, check_option, not_compiled, reduce
from dctc.losses.dctc import DCTCLoss, weighted


@not_compiled
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
    given: dict[str, object] = {"distill_weight": distill_weight, "ctc_weight": ctc_weight}
    given |= {"estimator": estimator, "margin": margin, "scale": scale}
    given |= {"blank": blank, "reduction": reduction}
    for name, value in given.items():
        check_option(name, value, DCTCLoss.allowed()[name])
    if features.ndim != 3 or weight.ndim != 2 or features.shape[2] != weight.shape[1]:
        raise ValueError(
            f"features and weight: expected (t, n, d) and (c, d), got {tuple(features.shape)} and "
            f"{tuple(weight.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias: expected ({len(weight)},), got {tuple(bias.shape)}")
    device = features.device.type
    if torch.is_autocast_enabled(device):
        features, weight = _autocast(features), _autocast(weight)
        bias = None if bias is None else _autocast(bias)
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is None:
            continue
        if (tensor.dtype, tensor.device) != (features.dtype, features.device):
            raise ValueError(
                f"{name}: {tensor.dtype} on {tensor.device}, but the features are "
                f"{features.dtype} on {features.device}"
            )
    # a view of the right shape and no memory, for the checks
    logits = features[:, :, :1].detach().expand(-1, -1, len(weight))
    labels = pack_labels(logits, targets, input_lengths, target_lengths, blank)
    if alignment is not None:
        alignment = check_alignment(alignment, logits, labels)
    distils = distill_weight != 0
    options = Options(
        blank, estimator if distils else None, alignment if distils else None, margin, scale
    )
    with torch.autocast(device, enabled=False):  # the dtype is settled
        terms = linear_terms(features, weight, bias, labels, options)
    per_sample = weighted(terms, ctc_weight, distill_weight)
    return reduce(per_sample, labels.lengths, reduction)


def _autocast(tensor: Tensor) -> Tensor:
    """Return a tensor in autocast's type; float64 stays, as in autocast's own matrix products."""
    if tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))
