"""AdamW whose weight decay spares what is no weight matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Last part of the names of position embeddings: of SVTR, of AttentionRecognizer, of timm's ViT.
POSITIONS = frozenset({"position", "positions", "pos_embed"})


class SparingAdamW(torch.optim.AdamW):
    """AdamW that decays matrices and convolutions only: no norm, no bias, no position embedding.

    Decay draws a weight to 0, which is where a weight without information belongs. The scale of a
    norm belongs at 1, and a bias or a place at wherever the data are. Source: SVTR's published
    training (PaddleOCR, rec_svtrnet.yml: ``one_dim_param_no_weight_decay`` and
    ``no_weight_decay_name: norm pos_embed``). What is spared is a group of parameters of its own.

    Args:
        params: Names and parameters, as of :meth:`torch.nn.Module.named_parameters`.
        lr: Learning rate.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the root of the mean square.
        weight_decay: Of the parameters that are not spared.

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
        groups: list[dict[str, Any]] = [
            {"params": [(name, p) for name, p in named if not is_spared(name, p)]},
            {"params": [(name, p) for name, p in named if is_spared(name, p)], "weight_decay": 0.0},
        ]
        # torch takes a group without parameters for one without names
        super().__init__(
            [group for group in groups if group["params"]], lr, betas, eps, weight_decay
        )


def is_spared(name: str, parameter: Tensor) -> bool:
    """Tell whether a parameter is a norm's, a bias or a position embedding."""
    return parameter.ndim <= 1 or name.rsplit(".", 1)[-1] in POSITIONS
