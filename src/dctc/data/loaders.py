"""The loaders that every DataModule builds: step-indexed for training, unpadded for evaluation."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Trainer
from torch.utils.data import DataLoader

from dctc.data.augment import Augmentation, AugmentedDataset
from dctc.data.records.batch import Batch, collate
from dctc.data.records.sampler import StepBatchSampler, StepDataLoader, UnpaddedSampler


def rank_and_world_size(trainer: Trainer | None) -> tuple[int, int]:
    """Return the number of this process and how many there are; (0, 1) without a Trainer.

    Raises:
        ValueError: If Lightning would put a sampler of its own in the place of ours.
    """
    if trainer is None or trainer.world_size == 1:
        return 0, 1
    # Private, but Lightning keeps the flag nowhere else; it would pad test sets by repetition.
    if trainer._accelerator_connector.use_distributed_sampler:
        raise ValueError(
            "Trainer: set use_distributed_sampler=False; the data is already shared out over the "
            "processes, and Lightning's sampler counts some test samples twice"
        )
    return trainer.global_rank, trainer.world_size


def _options(num_workers: int, trainer: Trainer | None) -> dict[str, Any]:
    if trainer is None:  # images that a net reads on a GPU, if there is one
        on_gpu = torch.cuda.is_available()
    else:
        on_gpu = trainer.strategy.root_device.type == "cuda"
    # A worker computes with one thread: torch sets that in every worker, and Pillow knows no other.
    return {
        "num_workers": num_workers,
        "collate_fn": collate,
        "pin_memory": on_gpu,
    }


def train_loader(
    dataset: Any,
    batch_size: int,
    seed: int,
    num_workers: int = 0,
    trainer: Trainer | None = None,
    augmentation: Augmentation | None = None,
) -> StepDataLoader:
    """Return the shuffled training batches of a run; batch k is a function of (seed, k).

    Args:
        dataset: Takes a :class:`~dctc.data.records.sampler.Draw`.
        batch_size: Samples in a batch over all processes.
        seed: Seed of the order and of the augmentation.
        num_workers: Worker processes; the batches are the same for any number.
        trainer: Says which process this is.
        augmentation: What is done to each sample.

    Raises:
        ValueError: If the batch does not divide by the number of processes, the data does not
            fill one batch, or Lightning would replace the sampler.
    """
    rank, world_size = rank_and_world_size(trainer)
    steps = StepBatchSampler(len(dataset), batch_size, seed, rank=rank, world_size=world_size)
    if augmentation is not None and augmentation.strength:
        dataset = AugmentedDataset(dataset, augmentation, seed)
    return StepDataLoader(
        dataset,
        batch_sampler=steps,
        persistent_workers=num_workers > 0,
        **_options(num_workers, trainer),
    )


def eval_loader(
    dataset: Any, batch_size: int, num_workers: int = 0, trainer: Trainer | None = None
) -> DataLoader[Batch]:
    """Return every sample once, in order; the last batch may be smaller.

    Args:
        dataset: Takes a :class:`~dctc.data.records.sampler.Draw`.
        batch_size: Samples in a batch over all processes; each takes its share, at least one.
        num_workers: Worker processes.
        trainer: Says which process this is.

    Raises:
        ValueError: If Lightning would replace the sampler.
    """
    rank, world_size = rank_and_world_size(trainer)
    sampler = UnpaddedSampler(len(dataset), rank, world_size)
    share = max(1, batch_size // world_size)
    return DataLoader(dataset, batch_size=share, sampler=sampler, **_options(num_workers, trainer))
