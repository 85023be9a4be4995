"""Logits of a last linear layer that are computed for some frames at a time, and their gradient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from dctc.ctc.torch_kernels import compute_dtype

CHUNK = 2**23  # logits of the linear layer held at a time: 32 MiB of float32


class LinearLogits(NamedTuple):
    """Logits ``(t, n, c)`` as features and the last linear layer, never held as a whole (ours).

    :class:`dctc.CTCLoss` and :class:`dctc.DCTCLoss` take it in place of the logits: they compute
    the logits of some frames at a time, and once more in the backward pass. DCTC with
    ``mask_infeasible=False`` holds all logits of the samples whose labels do not fit.

    Attributes:
        features: ``(t, n, d)`` floating point.
        weight: ``(c, d)``.
        bias: ``(c,)`` or None.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor | None

    @classmethod
    def of(cls, features: Tensor, weight: Tensor, bias: Tensor | None) -> LinearLogits:
        """Check and, under autocast, convert what a linear layer is called with.

        Raises:
            ValueError: If shapes, types or devices do not fit.
        """
        if features.ndim != 3 or weight.ndim != 2 or features.shape[2] != weight.shape[1]:
            raise ValueError(
                f"features and weight: expected (t, n, d) and (c, d), got "
                f"{tuple(features.shape)} and {tuple(weight.shape)}"
            )
        if bias is not None and bias.shape != weight.shape[:1]:
            raise ValueError(f"bias: expected ({len(weight)},), got {tuple(bias.shape)}")
        if torch.is_autocast_enabled(features.device.type):
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
        return cls(features, weight, bias)

    def detach(self) -> LinearLogits:
        """Return it without gradient."""
        bias = None if self.bias is None else self.bias.detach()
        return LinearLogits(self.features.detach(), self.weight.detach(), bias)

    def dense(self) -> Tensor:
        """Return all logits."""
        return F.linear(*self)


Logits = Tensor | LinearLogits


def outline(logits: Logits) -> Tensor:
    """Return the logits, or a view without memory that has their shape, type and device."""
    if isinstance(logits, Tensor):
        return logits
    if not isinstance(logits, LinearLogits):
        raise ValueError(f"logits: expected a tensor, got {type(logits).__name__}")
    return logits.features[:, :, :1].detach().expand(-1, -1, len(logits.weight))


def _autocast(tensor: Tensor) -> Tensor:
    """Return a tensor in autocast's type; float64 stays, as in autocast's own matrix products."""
    if tensor.dtype == torch.float64:
        return tensor
    return tensor.to(torch.get_autocast_dtype(tensor.device.type))


def chunks(logits: Logits) -> Iterator[tuple[slice, Tensor]]:
    """Yield frames and their logits ``(b, n, c)``: some at a time, or all if they are held.

    Each chunk takes the place of the one before.
    """
    if isinstance(logits, Tensor):
        yield slice(None), logits
        return
    x, weight, bias = logits
    t, n, _ = x.shape
    step = max(1, CHUNK // max(1, n * len(weight)))
    buffer = x.new_empty((min(step, t) * n, len(weight)))  # (b n, c)
    for i in range(0, t, step):
        rows = x[i : i + step].flatten(0, 1)
        some = buffer[: len(rows)]
        if bias is None:
            torch.mm(rows, weight.T, out=some)
        else:
            torch.addmm(bias, rows, weight.T, out=some)
        yield slice(i, i + step), some.unflatten(0, (-1, n))


def through_linear(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gradients: Iterator[tuple[slice, Tensor]],
    trains_features: bool,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Return the gradients of features, weight and bias from those of the logits.

    Features of a frozen encoder need none.
    """
    by_features = None
    if trains_features:
        by_features = torch.empty_like(features, memory_format=torch.contiguous_format)
    # half precision is added up in float32
    by_weight = torch.zeros_like(weight, dtype=compute_dtype(weight))
    by_bias = by_weight.new_zeros(len(weight))
    for frames, by_logits in gradients:
        rows = by_logits.flatten(0, 1)  # (b n, c)
        if by_features is not None:
            torch.mm(rows, weight, out=by_features[frames].flatten(0, 1))
        by_bias += rows.sum(0, dtype=by_bias.dtype)
        if rows.dtype == by_weight.dtype:
            by_weight.addmm_(rows.T, features[frames].flatten(0, 1))
        else:
            by_weight += rows.T @ features[frames].flatten(0, 1)
    return by_features, by_weight.to(weight.dtype), None if bias is None else by_bias.to(bias.dtype)
