import math

import pytest
from torchmetrics.utilities import dim_zero_sum

from dctc.metrics import WordAccuracy


def test_several_updates_are_one():
    predictions, labels = ["cat", "", "x", "Dog"], ["cat", "", "y", "dog"]
    once, often = WordAccuracy(), WordAccuracy()
    once.update(predictions, labels)
    for prediction, label in zip(predictions, labels, strict=True):
        often.update([prediction], [label])
    assert once.compute() == often.compute() == 0.5  # two empty texts are equal, cases are not


def test_two_processes_sum_their_counts():
    """The mean of 1/1 and 1/3 is not 2/4: counts are summed, not rates."""
    first, second = WordAccuracy(), WordAccuracy()
    first.update(["a"], ["a"])
    second.update(["a", "b", "c"], ["a", "x", "x"])
    assert first._reductions == {"correct": dim_zero_sum, "total": dim_zero_sum}
    first.correct, first.total = first.correct + second.correct, first.total + second.total
    assert first.compute() == 0.5


def test_reset_forgets():
    accuracy = WordAccuracy()
    accuracy.update(["a"], ["b"])
    accuracy.reset()
    accuracy.update(["a"], ["a"])
    assert accuracy.compute() == 1.0


def test_an_empty_batch_counts_nothing():
    accuracy = WordAccuracy()
    accuracy.update([], [])
    assert math.isnan(accuracy.compute())


def test_a_missing_prediction_is_an_error_and_counts_nothing():
    accuracy = WordAccuracy()
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is longer"):
        accuracy.update(["a"], ["a", "b"])
    assert (accuracy.correct, accuracy.total) == (0, 0)
