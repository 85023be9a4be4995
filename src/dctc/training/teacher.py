"""A teacher that follows the net: the exponential moving average of its weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Teacher(nn.Module):
    """A copy of a net whose weights are the running mean of the net's.

    After optimizer step k, mean = a mean + (1 - a) weight with a = min(decay, 1 - 1 / (k + 1)), so
    that the weights at the start do not stay in it for long (Tarvainen and Valpola, "Mean Teachers
    are Better Role Models", NeurIPS 2017, and their code). Buffers, such as the statistics of batch
    normalization, are the net's own. It is always in evaluation mode and has no gradient.

    Args:
        net: What it follows.
        decay: The largest a.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into logits ``(t, n, c)``."""
        return self.net.eval()(images)

    @torch.no_grad()
    def follow(self, net: nn.Module, step: int) -> None:
        """Move towards the net, after the optimizer step of this number, from 1 on."""
        share = 1.0 - min(self.decay, 1.0 - 1.0 / (step + 1))
        for mean, weight in zip(self.net.parameters(), net.parameters(), strict=True):
            mean.lerp_(weight, share)
        for buffer, own in zip(self.net.buffers(), net.buffers(), strict=True):
            buffer.copy_(own)
