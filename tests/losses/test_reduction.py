"""From per-sample losses to one number."""

import pytest
import torch

from dctc import CTCLoss, DCTCLoss
from dctc.losses.reduction import check_reduction, reduce

PER_SAMPLE = torch.tensor([6.0, 0.0, 3.0, 1.0])
LENGTHS = torch.tensor([3, 2, 1, 0])


@pytest.mark.parametrize(
    "reduction, expected",
    [
        ("none", [6.0, 0.0, 3.0, 1.0]),
        ("sum", 10.0),
        ("batchmean", 10.0 / 4),
        ("mean", (6 / 3 + 0 / 2 + 3 / 1 + 1 / 1) / 4),
    ],
)
def test_the_four_reductions(reduction, expected):
    check_reduction(reduction)
    assert reduce(PER_SAMPLE, LENGTHS, reduction).tolist() == expected


@pytest.mark.parametrize("make", [CTCLoss, DCTCLoss])
def test_infeasible_samples_stay_in_the_denominator(make, samples):
    per_sample = make(reduction="none")(*samples)
    assert not make().terms(*samples).feasible.all()
    torch.testing.assert_close(make(reduction="batchmean")(*samples), per_sample.sum() / 7)
    expected = (per_sample / torch.tensor([3, 4, 3, 3, 1, 1, 1])).sum() / 7
    torch.testing.assert_close(make(reduction="mean")(*samples), expected)


@pytest.mark.parametrize("make", [CTCLoss, DCTCLoss])
def test_an_unknown_reduction_is_named(make):
    with pytest.raises(ValueError, match="reduction 'average': not one of none, sum, batchmean"):
        make(reduction="average")
