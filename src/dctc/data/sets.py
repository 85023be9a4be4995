"""Base of the LightningDataModules: named sets, and the loaders of their batches."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from dctc.data.augment import Augmentation, AugmentedDataset
from dctc.data.records.batch import Batch, collate
from dctc.data.records.sampler import StepBatchSampler, StepDataLoader
from dctc.text.characters import by_frequency

TRAIN = "train"  # name of the training data in SetsDataModule.labels


class SetsDataModule(pl.LightningDataModule):
    """Base of the data modules: ``setup`` of a subclass fills the sets, which are loaded here.

    Attributes:
        train_set: The training data; None before it is set up, or where none is named.
        val_sets: The validation sets by name.
        test_sets: The test sets by name.
    """

    name_training_data = "name some"  # end of the message that there is no training data

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int | None,
        seed: int,
        num_workers: int,
        augmentation: Augmentation,
    ) -> None:
        super().__init__()
        if seed < 0:
            raise ValueError(f"seed {seed}: give 0 or more")
        if batch_size < 1 or (eval_batch_size is not None and eval_batch_size < 1):
            raise ValueError(
                f"batch_size {batch_size}, eval_batch_size {eval_batch_size}: give 1 or more"
            )
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers, self.augmentation = seed, num_workers, augmentation
        self.train_set: Any = None
        self.val_sets: dict[str, Any] = {}
        self.test_sets: dict[str, Any] = {}

    @property
    def val_names(self) -> list[str]:
        """Names of the validation sets, in the order of their loaders."""
        return list(self.val_sets)

    @property
    def test_names(self) -> list[str]:
        """Names of the test sets, in the order of their loaders."""
        return list(self.test_sets)

    def labels(self) -> dict[str, dict[str, Any]]:
        """Return what indexing left of the labels of each set that is set up, by its name.

        That of the training data is ``train``, that of a validation set whose name a test set has
        too ``NAME, validation``.

        Returns:
            Of each set: ``labels``, how many it has; ``left_out`` by reason; ``outside``, for how
            many of these each character outside the charset was the reason; and ``emptied``, how
            many of those that the protocol left empty had each character.
        """
        return {
            name: {
                "labels": len(found),
                "left_out": dict(found.drops),
                **{
                    what: {c: counts[c] for c in by_frequency(counts)}
                    for what in ("outside", "emptied")
                    for counts in [getattr(found, what, {})]
                },
            }
            for name, found in self._sets().items()
        }

    def _sets(self) -> dict[str, Any]:
        train = {} if self.train_set is None else {TRAIN: self.train_set}
        val = {
            f"{name}, validation" if self.test_sets.get(name, found) is not found else name: found
            for name, found in self.val_sets.items()
        }
        return {**train, **val, **self.test_sets}

    def train_dataloader(self) -> StepDataLoader:
        """Return the shuffled training batches; batch k of a run is a function of (seed, k).

        Raises:
            ValueError: If there is no training data or it does not fill one batch, the batch does
                not divide by the number of processes, or Lightning would replace the sampler.
        """
        dataset = self.train_set
        if dataset is None:
            raise ValueError(f"train: no training data; {self.name_training_data}")
        rank, world_size = self._rank_and_world_size()
        steps = StepBatchSampler(len(dataset), self.batch_size, self.seed, rank, world_size)
        if self.augmentation.strength:
            dataset = AugmentedDataset(dataset, self.augmentation, self.seed)
        options = {**self._options(), "persistent_workers": self.num_workers > 0}
        return StepDataLoader(dataset, batch_sampler=steps, **options)

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return one loader for each of :attr:`val_names`."""
        return [self.eval_loader(dataset) for dataset in self.val_sets.values()]

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Return one loader for each of :attr:`test_names`."""
        return [self.eval_loader(dataset) for dataset in self.test_sets.values()]

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loaders of the test sets."""
        return self.test_dataloader()

    def eval_loader(self, dataset: Any) -> DataLoader[Batch]:
        """Return every sample of a set once, in order; the last batch may be smaller.

        Of a batch each process takes its share, at least one.

        Raises:
            ValueError: If Lightning would replace the sampler, or a process had no sample.
        """
        rank, world_size = self._rank_and_world_size()
        if 0 < len(dataset) < world_size:
            raise ValueError(
                f"{getattr(dataset, 'name', 'a set')}: {len(dataset)} samples are too few to be "
                f"scored by {world_size} processes; take fewer devices"
            )
        sampler = range(rank, len(dataset), world_size)  # Lightning's own repeats samples
        share = max(1, self.eval_batch_size // world_size)
        return DataLoader(dataset, batch_size=share, sampler=sampler, **self._options())

    def _rank_and_world_size(self) -> tuple[int, int]:
        """Return the number of this process and how many there are; (0, 1) without a Trainer."""
        trainer = self.trainer
        if trainer is None or trainer.world_size == 1:
            return 0, 1
        # Private, but Lightning keeps the flag nowhere else; it would pad test sets by repetition.
        if trainer._accelerator_connector.use_distributed_sampler:
            raise ValueError(
                "Trainer: set use_distributed_sampler=False; the data is already shared out over "
                "the processes, and Lightning's sampler counts some test samples twice"
            )
        return trainer.global_rank, trainer.world_size

    def _options(self) -> dict[str, Any]:
        # without a trainer, a net reads the images on a GPU if there is one
        device = self.trainer.strategy.root_device.type if self.trainer else None
        on_gpu = torch.cuda.is_available() if device is None else device == "cuda"
        # A worker computes with one thread: torch sets that in each, and Pillow knows no other.
        return {"num_workers": self.num_workers, "collate_fn": collate, "pin_memory": on_gpu}
