"""Word accuracy, NED and error rate by hand and against torchmetrics'."""

import math

import pytest
import torch
from torchmetrics.text import CharErrorRate

from dctc.metrics.scores import SetScores, TextScores

PREDICTIONS = ["cat", "", "dgo", "street", "", "zoo", "Dog"]
LABELS = ["cart", "a", "dog", "strete", "", "zoo", "dog"]


def updated(predictions=PREDICTIONS, labels=LABELS):
    scores = TextScores()
    scores.update(predictions, labels)
    return scores


def values(scores):
    return {name: value.item() for name, value in scores.compute().items()}


def test_rates_by_hand():
    peer = CharErrorRate()
    peer.update(PREDICTIONS, LABELS)
    expected = {
        "accuracy": 2 / 7,  # cases differ
        "ned": (3 / 4 + 0 + 1 / 3 + 4 / 6 + 1 + 1 + 2 / 3) / 7,
        "cer": peer.compute().item(),
    }
    assert values(updated()) == pytest.approx(expected, abs=1e-7)
    assert values(updated(["abcd"], ["x"]))["cer"] == 4.0


def test_several_updates_are_one_and_reset_forgets():
    often = updated(["a"], ["b"])
    often.reset()
    for prediction, label in zip(PREDICTIONS, LABELS, strict=True):
        often.update([prediction], [label])
    assert values(often) == values(updated())


def test_rates_of_nothing():
    assert all(map(math.isnan, values(updated([], [])).values()))
    accuracy, ned, cer = values(updated([""], [""])).values()
    assert (accuracy, ned) == (1.0, 1.0) and math.isnan(cer)
    assert values(updated(["a"], [""]))["cer"] == float("inf")


def test_a_mean_over_many_samples_keeps_its_digits():
    """Summed in float32, a third would get lost beyond 2**24 of them."""
    scores = TextScores()
    scores.similarity += 2**26
    scores.samples += 2**26
    for _ in range(100):
        scores.update(["ab"], ["a"])
    assert scores.similarity == 2**26 + 50 and scores.samples == 2**26 + 100
    assert scores.compute()["ned"].dtype == torch.float32


def test_a_missing_prediction_is_an_error_and_counts_nothing():
    broken = TextScores()
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is longer"):
        broken.update(["a"], ["a", "b"])
    assert all(total == 0 for total in broken.metric_state.values())


def test_sets_are_scored_apart_and_together():
    scores = SetScores(["one", "two"])
    scores.update(0, ["a"], ["a"])
    scores.update(1, ["b", "c"], ["x", "y"])
    found = {name: value["accuracy"].item() for name, value in scores.compute()}
    assert found == pytest.approx({"one": 1.0, "two": 0.0, "": 1 / 3})
