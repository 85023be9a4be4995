"""Samplers and data loader: batch k of a run is a pure function of (seed, k)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DataLoader, Sampler


class Draw(NamedTuple):
    """One request to a dataset.

    Attributes:
        index: Which item.
        number: Number of this item in the whole run; it seeds whatever is random about it.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which a draw has no use for
    number: int


class StepBatchSampler(Sampler[list[Draw]]):
    """Endless shuffled training batches, cut into epochs of ``len(self)`` batches.

    Batch k of a run depends on (seed, k) only: not on the number of workers, on the number of
    processes, or on where a resumed run began. Each epoch is a permutation of its own; a last
    partial batch is left out, so every batch has the same size.

    Args:
        size: Items in the dataset.
        batch_size: Items in a batch over all processes.
        seed: Seed of the permutations.
        rank: This process; it takes items ``rank::world_size`` of every batch.
        world_size: Number of processes.

    Raises:
        ValueError: If the batch does not divide by the number of processes, or the dataset does
            not fill one batch.
    """

    def __init__(
        self, size: int, batch_size: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if batch_size % world_size:
            raise ValueError(
                f"batch_size {batch_size} (over all processes) does not divide by {world_size} "
                f"processes"
            )
        if size < batch_size:
            raise ValueError(
                f"{size} training samples do not fill one batch of {batch_size}; lower batch_size"
            )
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.rank, self.world_size = rank, world_size
        self.next_batch = 0  # k of the batch that the next iteration begins with
        self._cached = -1, np.empty(0, int)  # an epoch and its permutation

    def __len__(self) -> int:
        return self.size // self.batch_size

    def batch(self, k: int) -> list[Draw]:
        """Return this process's share of batch k, k counted from the beginning of the run."""
        epoch, k_in_epoch = divmod(k, len(self))
        first = k_in_epoch * self.batch_size
        positions = range(first + self.rank, first + self.batch_size, self.world_size)
        order = self._order(epoch)
        begin = k * self.batch_size - first  # Draw.number of the epoch's first item
        return [Draw(int(order[p]), begin + p) for p in positions]

    def _order(self, epoch: int) -> np.ndarray:
        if self._cached[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            self._cached = epoch, order
        return self._cached[1]

    def __iter__(self) -> Iterator[list[Draw]]:
        for k in range(self.next_batch, (self.next_batch // len(self) + 1) * len(self)):
            yield self.batch(k)


class StepDataLoader(DataLoader):
    """A DataLoader over a :class:`StepBatchSampler` that can be saved and resumed.

    Lightning saves :meth:`state_dict` in its checkpoints and restores it, so a resumed run goes on
    with the batch after the last one that was trained on, whatever the workers had fetched ahead.
    """

    batch_sampler: StepBatchSampler

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        for batch in super().__iter__():
            self.batch_sampler.next_batch += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the number of batches read since the beginning of the run."""
        return {"next_batch": self.batch_sampler.next_batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after that many batches."""
        self.batch_sampler.next_batch = state["next_batch"]
