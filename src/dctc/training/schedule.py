"""Learning rates: warm-up and cosine, frozen or slower layers; AdamW with selective decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

# Last part of the names of position embeddings: of SVTR, of AttentionRecognizer, of timm's ViT.
POSITIONS = frozenset({"position", "positions", "pos_embed"})

# Groups of layers with a learning rate of their own before the last layer, ours: as many as ViT-B
# has blocks, so that a decay that is usual there (0.65 to 0.8) does the same to any net
LAYERS = 12

Freeze = Literal["backbone"] | int
Named = Sequence[tuple[str, Tensor]]


class SparingAdamW(torch.optim.AdamW):
    """AdamW without weight decay on norms, biases and position embeddings.

    Source: SVTR's published training (PaddleOCR, rec_svtrnet.yml:
    ``one_dim_param_no_weight_decay`` and ``no_weight_decay_name: norm pos_embed``). Parameters
    without decay are a parameter group of their own, after those with decay. timm's groups are not
    used: they need the module, and their order would change how the norm of clipped gradients is
    rounded.

    Args:
        params: Names and parameters, as of :meth:`torch.nn.Module.named_parameters`, or parameter
            groups of them, each of which is split.
        lr: Learning rate.
        betas: Decay of the running means of the gradient and of its square.
        eps: Added to the root of the mean square.
        weight_decay: Of matrices and convolutions.

    Raises:
        ValueError: If the parameters have no names.
    """

    def __init__(
        self,
        params: Iterable[tuple[str, Tensor]] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        given: list[Any] = list(params)
        groups = given if given and isinstance(given[0], dict) else [{"params": given}]
        split: list[dict[str, Any]] = []
        for group in groups:
            named = list(group["params"])
            if not all(isinstance(entry, tuple) for entry in named):
                raise ValueError(
                    f"{type(self).__name__} spares parameters by name; give it named_parameters()"
                )
            for spared in (False, True):
                part = [(name, p) for name, p in named if is_spared(name, p) == spared]
                own = {"weight_decay": 0.0} if spared else {}
                if part:  # torch takes a group without parameters for one without names
                    split.append({**group, "params": part, **own})
        super().__init__(split, lr, betas, eps, weight_decay)


def is_spared(name: str, parameter: Tensor) -> bool:
    """Tell whether a parameter is a norm's, a bias or a position embedding.

    Those of an ONNX file may have several axes, and say themselves what they are.
    """
    known = parameter.ndim <= 1 or getattr(parameter, "is_bias", False)
    return known or name.rsplit(".", 1)[-1] in POSITIONS


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


class FineTuning:
    """How the backbone of a net, all but its last layer ``head``, is trained.

    Layer-wise decay is that of BEiT (Bao et al., ICLR 2022) over parameters in the order in which
    the net names them, which is that of depth, in :data:`LAYERS` groups of about equal number.
    Parameters that belong to no part of the net, such as an attention decoder's, are the last.

    Args:
        net: The net.
        freeze: ``backbone`` never trains it, and keeps it in evaluation mode. A number leaves its
            weights as they are for so many steps; statistics of batch norms move all the same.
            None trains it from the start.
        layer_lr_decay: Factor on the learning rate from each group of layers to the one before it,
            nearer the image; the last layer has the full rate. None is 1.

    Raises:
        ValueError: If the net has no layer ``head``, or an argument is out of range.
    """

    def __init__(self, net: nn.Module, freeze: Freeze | None, layer_lr_decay: float | None) -> None:
        self.net, self.freeze, self.decay = net, freeze, layer_lr_decay
        if isinstance(freeze, int) and freeze < 1:
            raise ValueError(f"freeze {freeze}: give backbone, or steps, at least one")
        if layer_lr_decay is not None and not 0 < layer_lr_decay <= 1:
            raise ValueError(
                f"layer_lr_decay {layer_lr_decay}: a factor above 0 and up to 1 is expected"
            )
        if freeze == "backbone" and layer_lr_decay is not None:
            raise ValueError(
                "layer_lr_decay: freeze backbone trains the last layer alone; give one"
            )
        self.is_asked = freeze is not None or layer_lr_decay is not None
        if self.is_asked and not isinstance(getattr(net, "head", None), nn.Module):
            raise ValueError(
                f"freeze, layer_lr_decay: the net {type(net).__name__} has no layer 'head'; leave "
                f"them out"
            )
        if freeze == "backbone":
            for parameter in self._backbone():
                parameter.requires_grad_(False)

    def _backbone(self) -> set[Tensor]:
        """Return the parameters that are treated in another way than those of the last layer."""
        net: Any = self.net
        return {*net.parameters()} - {*net.head.parameters()} if self.is_asked else set()

    def set_mode(self) -> None:
        """Keep a backbone that is never trained in evaluation mode."""
        if self.freeze == "backbone":
            for name, part in self.net.named_children():
                if name != "head":
                    part.eval()

    def make(self, optimizer: Callable[[Iterable[Any]], Any], named: Named) -> Any:
        """Make the optimizer; if anything is asked for, with the layers as groups, in order.

        Args:
            optimizer: Makes it; it may split groups.
            named: Names of parameters in the module, which has the net, and these.
        """
        slow = self._backbone()
        # a net names its own parameters before those of its parts, as queries of a decoder
        own = {*self.net.parameters(recurse=False)}
        backbone = sorted(((n, p) for n, p in named if p in slow), key=lambda pair: pair[1] in own)
        if not backbone:
            return optimizer(iter(named))
        count = 1 if self.decay is None else min(LAYERS, len(backbone))
        limits = [k * len(backbone) // count for k in range(count + 1)]
        layers = [backbone[a:b] for a, b in pairwise(limits)]
        rest = [(name, p) for name, p in named if p not in slow]
        made = optimizer([{"params": part} for part in (*layers, rest)])
        depth = {p: k for k, layer in enumerate(layers) for _, p in layer}
        for group in made.param_groups:
            before = count - depth.get(group["params"][0], count)
            group["lr"] *= (self.decay or 1.0) ** before
        return made

    def schedules(
        self, optimizer: torch.optim.Optimizer, schedule: Callable[[int], float]
    ) -> list[Callable[[int], float]]:
        """Return the factor on the learning rate by step, for each group of the optimizer."""
        steps = self.freeze if isinstance(self.freeze, int) else 0

        def late(step: int) -> float:
            return schedule(step) if step >= steps else 0.0

        slow, groups = self._backbone(), optimizer.param_groups
        return [late if group["params"][0] in slow else schedule for group in groups]
