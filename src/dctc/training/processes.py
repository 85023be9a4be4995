"""Several processes of one run: batch normalization over them, decisions, and their end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch.distributed
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.plugins.layer_sync import LayerSync
from torch import nn

Decision = TypeVar("Decision")


class SyncBatchNorm(LayerSync):
    """Batch normalization over all processes, for timm's layers too.

    Those hold an activation, which torch's conversion, the one in Lightning, drops.
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Return the model with synchronised layers, or itself if it has them already."""
        if any(isinstance(layer, nn.SyncBatchNorm) for layer in model.modules()):
            return model
        from timm.layers import convert_sync_batchnorm  # here, as timm imports wandb where it can

        converted: nn.Module = convert_sync_batchnorm(model)
        return converted

    def revert(self, model: nn.Module) -> nn.Module:
        """Return the model as it is: on one process the layers behave as usual ones."""
        return model


def on_rank_zero(trainer: Any, decide: Callable[[], Decision]) -> Decision:
    """Let rank 0 alone decide something, and return its decision in every process.

    Processes that torchrun or SLURM started decide before the training connects them, and a
    networked disk may show them different files. Those that Lightning starts itself begin later
    and find what rank 0 has left, so that they may decide for themselves.

    Args:
        trainer: The trainer.
        decide: Returns what is to be broadcast; it is called on rank 0.

    Raises:
        SystemExit: In the other processes, if rank 0 raises an error.
    """
    strategy = trainer.strategy
    started = getattr(strategy, "cluster_environment", None)
    if trainer.world_size == 1 or started is None or isinstance(started, LightningEnvironment):
        return decide()
    strategy.setup_environment()  # which the training will do too, without effect
    if trainer.global_rank:
        decisions = strategy.broadcast([])
        if not decisions:
            raise SystemExit(1)
        return cast(Decision, decisions[0])
    decisions = []
    try:
        decisions.append(decide())
    finally:
        strategy.broadcast(decisions)
    return cast(Decision, decisions[0])


def end_process_group() -> None:
    """Destroy the process group, if there is one, before the interpreter exits.

    Lightning does so for GPUs alone. The threads of gloo, the backend on CPUs, can abort an
    interpreter that exits beside them (pytorch issue 190489).
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
