"""Logits of a last linear layer that are computed for some frames at a time, and their gradient."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from dctc.ctc.torch_kernels import compute_dtype

CHUNK = 2**23  # logits of the linear layer held at a time: 32 MiB of float32


def chunks(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Iterator[tuple[slice, Tensor]]:
    """Return the logits of some frames at a time, or all of them if ``x`` are the logits.

    Each chunk takes the place of the one before.
    """
    if weight is None:
        yield slice(None), x
        return
    t, n, _ = x.shape
    step = max(1, CHUNK // max(1, n * len(weight)))
    buffer = x.new_empty((min(step, t) * n, len(weight)))  # (b n, c)
    for i in range(0, t, step):
        rows = x[i : i + step].flatten(0, 1)
        logits = buffer[: len(rows)]
        if bias is None:
            torch.mm(rows, weight.T, out=logits)
        else:
            torch.addmm(bias, rows, weight.T, out=logits)
        yield slice(i, i + step), logits.unflatten(0, (-1, n))


def through_linear(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    gradients: Iterator[tuple[slice, Tensor]],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the gradients of features, weight and bias from those of the logits."""
    by_features = torch.empty_like(features, memory_format=torch.contiguous_format)
    # half precision is added up in float32
    by_weight = torch.zeros_like(weight, dtype=compute_dtype(weight))
    by_bias = by_weight.new_zeros(len(weight))
    for frames, by_logits in gradients:
        rows = by_logits.flatten(0, 1)  # (b n, c)
        torch.mm(rows, weight, out=by_features[frames].flatten(0, 1))
        by_bias += rows.sum(0, dtype=by_bias.dtype)
        if rows.dtype == by_weight.dtype:
            by_weight.addmm_(rows.T, features[frames].flatten(0, 1))
        else:
            by_weight += rows.T @ features[frames].flatten(0, 1)
    return by_features, by_weight.to(weight.dtype), None if bias is None else by_bias.to(bias.dtype)
