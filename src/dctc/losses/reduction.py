"""From per-sample losses to one number."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor

Reduction = Literal["none", "sum", "batchmean", "mean"]


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


def check_reduction(reduction: str) -> None:
    """Raise a ValueError unless there is such a reduction."""
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction {reduction!r}: not one of {', '.join(get_args(Reduction))}")
