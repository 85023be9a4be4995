"""What a loss needs besides logits and labels: its names and checks, and the teacher."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dctc.data.records.batch import Batch

NEEDS = ("features", "alignment", "second", "teacher")  # what CTCObjective can give


def needs(loss: nn.Module) -> frozenset[str]:
    """Return what a loss needs besides logits and labels; see :mod:`dctc.losses`."""
    return getattr(loss, "needs", frozenset())


def check_needs(loss: nn.Module) -> None:
    """Raise ValueError if what a loss ``needs`` is no set, or holds an unknown name."""
    name, named = type(loss).__name__, needs(loss)
    if not isinstance(named, (set, frozenset)):
        raise ValueError(f"loss {name} needs {named!r}: give a set of names")
    if unknown := named - set(NEEDS):
        raise ValueError(
            f"loss {name} needs {', '.join(sorted(unknown))}, which is none of "
            f"{', '.join(NEEDS)}; see dctc.losses"
        )


def checked_value(loss: nn.Module, value: Any) -> Tensor:
    """Return the value of a loss.

    Raises:
        ValueError: If it is no scalar tensor.
    """
    if not isinstance(value, Tensor) or value.ndim:
        shape = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"loss {type(loss).__name__} gave {shape}, not a scalar tensor")
    return value


def check_batch(loss: nn.Module, batch: Batch, data: str) -> None:
    """Check that a training batch has the views and the extents of characters that a loss needs.

    Args:
        loss: The loss.
        batch: The batch.
        data: Name of the data, for the message.

    Raises:
        ValueError: If a view is missing, or would go to waste, or extents are missing.
    """
    name, given = type(loss).__name__, batch.second is not None
    if "second" in needs(loss) and not given:
        raise ValueError(
            f"loss {name} needs two views of each image, and {data} gives one; set its views to 2 "
            f"and augment above 0"
        )
    if given and "second" not in needs(loss):
        raise ValueError(
            f"{data} gives two views of each image, and loss {name} needs one; set views to 1"
        )
    if "alignment" in needs(loss) and batch.extents is None:
        raise ValueError(
            f"loss {name} needs the true alignment, and {data} does not know where the characters "
            f"of {batch.key[0]} and others of its batch stand; train on rendered words, or choose "
            f"an estimator"
        )


class Teacher(AveragedModel):
    """Teacher of frame distillation: the exponential moving average of a net's weights.

    It is always in evaluation mode and without gradient.

    ``update_parameters(net)`` after optimizer step k makes it a mean + (1 - a) weight with
    a = min(decay, 1 - 1 / (k + 1)), so that the weights at the start do not stay in it for long
    (Tarvainen and Valpola, "Mean Teachers are Better Role Models", NeurIPS 2017, and their code).
    The number of steps is a buffer, stored with the weights. Other buffers, such as the statistics
    of batch normalization, are the net's own.

    Args:
        net: What it follows; its weights are the first mean.
        decay: The largest a.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        def follow(means: Sequence[Tensor], weights: Sequence[Tensor], steps: Tensor | int) -> None:
            share = 1.0 - min(decay, 1.0 - 1.0 / (int(steps) + 1))
            for mean, weight in zip(means, weights, strict=True):
                mean.lerp_(weight, share)

        super().__init__(net, multi_avg_fn=follow)
        self.requires_grad_(False)
        self.update_parameters(net)  # the first time it copies; so n_averaged is k in step k

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return the mean net's logits ``(t, n, c)`` of images ``(n, ch, h, w)``."""
        return self.module.eval()(images)
