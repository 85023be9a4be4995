"""One batch with every kind of label, and the gradient of a loss on it."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Samples(NamedTuple):
    """The positional arguments of a loss."""

    logits: Tensor
    targets: Tensor
    input_lengths: Tensor
    target_lengths: Tensor

    def only(self, rows):
        """Some of the samples."""
        return Samples(*(part[:, rows] if part.ndim == 3 else part[rows] for part in self))


@pytest.fixture
def samples():
    """Plain, repeats, exact fit, infeasible, empty, and no frames at all (empty and not)."""
    logits = torch.randn(9, 7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = [[1, 2, 3], [2, 2, 1, 1], [4, 4, 3], [1, 1, 1], [], [], [3]]
    targets = torch.zeros(7, 4, dtype=torch.int64)
    for row, label in zip(targets, labels, strict=True):
        row[: len(label)] = torch.tensor(label)
    return Samples(
        2 * logits,
        targets,
        torch.tensor([9, 8, 4, 4, 6, 0, 0]),
        torch.tensor([len(label) for label in labels]),
    )
