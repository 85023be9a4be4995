"""Teacher of frame distillation: the exponential moving average of the net's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class Teacher(AveragedModel):
    """Moving average of a net's weights, always in evaluation mode and without gradient.

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
