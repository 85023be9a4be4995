"""What all data modules have in common: named sets and the loaders of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from dctc.data.augment import Augmentation
from dctc.data.loaders import eval_loader, train_loader
from dctc.data.records.batch import Batch
from dctc.data.records.sampler import StepDataLoader

TRAIN = "train"  # name of the training data in SetsDataModule.drops


class SetsDataModule(pl.LightningDataModule):
    """Base of the data modules: the ``setup`` of each fills the sets, and their loaders are here.

    Args:
        batch_size: Samples in a batch over all processes.
        eval_batch_size: The same for validation and test; None is ``batch_size``.
        seed: Seed of the order of the training data and of its augmentation.
        num_workers: Worker processes of each loader.
        augmentation: What is done to each training sample.

    Attributes:
        train_set: The training data; None before it is set up, or where none is named.
        val_sets: The validation sets by name.
        test_sets: The test sets by name.
    """

    name_training_data = "name some"  # what to do where there is none

    def __init__(
        self,
        batch_size: int,
        eval_batch_size: int | None,
        seed: int,
        num_workers: int,
        augmentation: Augmentation,
    ) -> None:
        super().__init__()
        self.batch_size, self.eval_batch_size = batch_size, eval_batch_size or batch_size
        self.seed, self.num_workers, self.augmentation = seed, num_workers, augmentation
        self.train_set: Any = None
        self.val_sets: dict[str, Any] = {}
        self.test_sets: dict[str, Any] = {}

    @property
    def val_names(self) -> list[str]:
        """Names of the validation sets, in the order of :meth:`val_dataloader`."""
        return list(self.val_sets)

    @property
    def test_names(self) -> list[str]:
        """Names of the test sets, in the order of :meth:`test_dataloader`."""
        return list(self.test_sets)

    def drops(self, name: str) -> dict[str, int]:
        """Return how many records of a set were dropped when it was indexed, by reason.

        Args:
            name: ``train``, or one of :attr:`val_names` and :attr:`test_names`.

        Raises:
            ValueError: If no such set has been set up.
        """
        sets = {**self.val_sets, **self.test_sets}
        if self.train_set is not None:
            sets[TRAIN] = self.train_set
        if name not in sets:
            raise ValueError(f"drops({name!r}): not set up; there are {[*sets]}")
        return dict(sets[name].drops)

    def train_dataloader(self) -> StepDataLoader:
        """Return the training batches, the same for any number of workers.

        Raises:
            ValueError: If there is no training data, or as :func:`train_loader` does.
        """
        if self.train_set is None:
            raise ValueError(f"train: no training data; {self.name_training_data}")
        return train_loader(
            self.train_set,
            self.batch_size,
            self.seed,
            self.num_workers,
            self.trainer,
            self.augmentation,
        )

    def val_dataloader(self) -> list[DataLoader[Batch]]:
        """Return one loader for each of :attr:`val_names`."""
        return self._eval_loaders(self.val_sets)

    def test_dataloader(self) -> list[DataLoader[Batch]]:
        """Return one loader for each of :attr:`test_names`."""
        return self._eval_loaders(self.test_sets)

    def predict_dataloader(self) -> list[DataLoader[Batch]]:
        """Return the loaders of the test sets."""
        return self.test_dataloader()

    def _eval_loaders(self, sets: Mapping[str, Any]) -> list[DataLoader[Batch]]:
        return [
            eval_loader(dataset, self.eval_batch_size, self.num_workers, self.trainer)
            for dataset in sets.values()
        ]
