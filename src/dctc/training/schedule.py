"""Learning-rate schedule and optimizer: warm-up and cosine; AdamW with selective decay."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Last part of the names of position embeddings: of SVTR, of AttentionRecognizer, of timm's ViT.
POSITIONS = frozenset({"position", "positions", "pos_embed"})


class SparingAdamW(torch.optim.AdamW):
    """AdamW without weight decay on norms, biases and position embeddings.

    Source: SVTR's published training (PaddleOCR, rec_svtrnet.yml:
    ``one_dim_param_no_weight_decay`` and ``no_weight_decay_name: norm pos_embed``). Parameters
    without decay are a parameter group of their own, the second one. timm's groups are not used:
    they need the module, and their order would change how the norm of clipped gradients is rounded.

    Args:
        params: Names and parameters, as of :meth:`torch.nn.Module.named_parameters`.
        lr: Learning rate.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the root of the mean square.
        weight_decay: Of matrices and convolutions.

    Raises:
        ValueError: If the parameters have no names.
    """

    def __init__(
        self,
        params: Iterable[tuple[str, Tensor]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        named = list(params)
        if not all(isinstance(entry, tuple) for entry in named):
            raise ValueError(
                f"{type(self).__name__} spares parameters by name; give it named_parameters()"
            )
        decayed = [(name, p) for name, p in named if not is_spared(name, p)]
        spared = [(name, p) for name, p in named if is_spared(name, p)]
        groups: list[dict[str, Any]] = [
            {"params": decayed},
            {"params": spared, "weight_decay": 0.0},
        ]
        # torch takes a group without parameters for one without names
        super().__init__(
            [group for group in groups if group["params"]], lr, betas, eps, weight_decay
        )


def is_spared(name: str, parameter: Tensor) -> bool:
    """Tell whether a parameter is a norm's, a bias or a position embedding."""
    return parameter.ndim <= 1 or name.rsplit(".", 1)[-1] in POSITIONS


class WarmupCosine:
    """Learning-rate schedule with linear warm-up to 1 and cosine decay to ``final``.

    A function of the share of training that is done, as in SVTR and PARSeq.

    Args:
        warmup: Share of training over which the factor rises, in [0, 1).
        final: Factor at the end.

    Raises:
        ValueError: If ``warmup`` is outside [0, 1).

    Example:
        >>> schedule = WarmupCosine(warmup=0.1)
        >>> [round(schedule(p), 3) for p in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, warmup: float = 0.1, final: float = 0.0) -> None:
        if not 0 <= warmup < 1:
            raise ValueError(f"warmup {warmup}: a share of training in [0, 1) is expected")
        self.warmup = warmup
        self.final = final

    def __call__(self, progress: float) -> float:
        """Return the factor on the learning rate at ``progress`` in [0, 1]."""
        if progress < self.warmup:
            return progress / self.warmup
        done = min((progress - self.warmup) / (1 - self.warmup), 1.0)
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))


def check_steps(steps: float) -> None:
    """Refuse a training of no step, or without an end.

    Raises:
        ValueError: If it is one.
    """
    if not 0 < steps < math.inf:
        raise ValueError(
            f"the training has {steps} steps, so the learning rate has no schedule; set max_steps "
            f"or max_epochs of the trainer to a positive number"
        )
