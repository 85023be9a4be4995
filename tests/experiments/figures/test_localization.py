"""Where characters are read, against the enumeration of all paths and by hand."""

import numpy as np
import pytest
import torch
from experiments.figures.localization import (
    NOWHERE,
    Disagreement,
    best_frames,
    character_posterior,
    disagreement,
)

from oracle.enumeration import log_probability, paths_of


def enumerated(logits, label):
    """Return ``(s, t)`` by going through all paths."""
    t, c = logits.shape
    found, paths = np.zeros((len(label), t)), paths_of(tuple(label), t, c, 0)
    weight = np.exp(log_probability(logits.numpy(), paths))
    for path, p in zip(paths, weight / weight.sum(), strict=True):
        begins = (path > 0) & (path != np.append(0, path[:-1]))
        frames = np.flatnonzero(path)
        found[begins.cumsum()[frames] - 1, frames] += p
    return torch.from_numpy(found)


@pytest.mark.parametrize("label", [[1], [1, 2], [1, 1], [2, 1, 2], [1, 1, 2]])
def test_posterior_of_each_occurrence(label):
    generator = torch.Generator().manual_seed(len(label))
    logits = 2 * torch.randn(5, 1, 3, generator=generator, dtype=torch.float64)
    found = character_posterior(logits, torch.tensor([label]), [5], [len(label)])
    torch.testing.assert_close(found[0], enumerated(logits[:, 0], label))


def test_padding_and_what_does_not_fit_is_zero():
    logits = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([[1, 2], [1, 0], [1, 1]])
    found = character_posterior(logits, targets, [3, 4, 2], [2, 1, 2])
    assert found.shape == (3, 2, 4)
    assert found[0, :, 3].eq(0).all() and found[1, 1].eq(0).all() and found[2].eq(0).all()
    alone = character_posterior(logits[:3, :1], targets[:1], [3], [2])
    torch.testing.assert_close(found[:1, :, :3], alone)
    frames = best_frames(found, torch.tensor([2, 1, 2]))
    assert frames[2].tolist() == [NOWHERE, NOWHERE] and frames[1, 1] == NOWHERE
    assert (frames[0] >= 0).all()


def test_one_frame_apart_is_no_disagreement():
    first = [torch.tensor([[3, 5, 9, NOWHERE]]), torch.tensor([[NOWHERE, 4, 4, 4]])]
    second = [torch.tensor([[2, 7, 9, 8]]), torch.tensor([[1, 6, 5, 1]])]
    assert disagreement(first, second) == Disagreement(apart=3, n=6)
    assert disagreement(first, first) == Disagreement(apart=0, n=6)
    with pytest.raises(ValueError, match="shorter"):
        disagreement(first, second[:1])
