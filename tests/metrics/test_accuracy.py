"""Word accuracy, NED and error rate by hand and against torchmetrics'."""

import math

import pytest
import torch
from torchmetrics import MetricCollection
from torchmetrics.text import CharErrorRate
from torchmetrics.utilities import dim_zero_sum

from dctc.metrics import CharacterErrorRate, NormalizedEditDistance, WordAccuracy

EVERY = pytest.mark.parametrize(
    "metric", [WordAccuracy, NormalizedEditDistance, CharacterErrorRate]
)
PREDICTIONS = ["cat", "", "dgo", "street", "", "zoo", "Dog"]
LABELS = ["cart", "a", "dog", "strete", "", "zoo", "dog"]


def updated(metric, predictions=PREDICTIONS, labels=LABELS):
    metric.update(predictions, labels)
    return metric


def test_rates_by_hand():
    assert updated(WordAccuracy()).compute() == pytest.approx(2 / 7)  # cases differ
    expected = (3 / 4 + 0 + 1 / 3 + 4 / 6 + 1 + 1 + 2 / 3) / 7
    assert updated(NormalizedEditDistance()).compute() == pytest.approx(expected, abs=1e-7)
    peer = updated(CharErrorRate()).compute()
    assert updated(CharacterErrorRate()).compute() == pytest.approx(peer.item(), abs=1e-7)
    assert updated(CharacterErrorRate(), ["abcd"], ["x"]).compute() == 4.0


def test_a_collection_keeps_them_apart_after_a_first_batch_that_is_all_right():
    kinds = {"accuracy": WordAccuracy, "ned": NormalizedEditDistance, "cer": CharacterErrorRate}
    together = MetricCollection({name: kind() for name, kind in kinds.items()})
    alone = {name: kind() for name, kind in kinds.items()}
    for metric in (together, *alone.values()):
        updated(metric, ["a", "b"], ["a", "b"])
        updated(metric)
    assert together.compute() == {name: metric.compute() for name, metric in alone.items()}


@EVERY
def test_several_updates_are_one_and_reset_forgets(metric):
    often = updated(metric(), ["a"], ["b"])
    often.reset()
    for prediction, label in zip(PREDICTIONS, LABELS, strict=True):
        often.update([prediction], [label])
    assert often.compute() == updated(metric()).compute()


@EVERY
def test_two_processes_sum_their_counts(metric):
    """The mean of 1/1 and 1/3 is not 2/4: counts are summed, not rates."""
    first = updated(metric(), PREDICTIONS[:1], LABELS[:1])
    second = updated(metric(), PREDICTIONS[1:], LABELS[1:])
    assert set(first._reductions.values()) == {dim_zero_sum}
    for name in first._defaults:
        setattr(first, name, getattr(first, name) + getattr(second, name))
    assert first.compute() == updated(metric()).compute()


@EVERY
def test_rates_of_nothing(metric):
    assert math.isnan(updated(metric(), [], []).compute())
    if metric is CharacterErrorRate:
        assert math.isnan(updated(metric(), [""], [""]).compute())
        assert math.isinf(updated(metric(), ["a"], [""]).compute())


def test_a_mean_over_many_samples_keeps_its_digits():
    """Summed in float32, a third would get lost beyond 2**24 of them."""
    ned = NormalizedEditDistance()
    ned.similarity += 2**26
    ned.samples += 2**26
    for _ in range(100):
        ned.update(["ab"], ["a"])
    assert ned.similarity == 2**26 + 50
    assert ned.compute().dtype == torch.float32


@EVERY
def test_a_missing_prediction_is_an_error_and_counts_nothing(metric):
    broken = metric()
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is longer"):
        broken.update(["a"], ["a", "b"])
    assert all(total == 0 for total in broken.metric_state.values())
