"""Distances against plain dynamic programming, the error rate against torchmetrics'."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.text import CharErrorRate
from torchmetrics.utilities import dim_zero_sum

from dctc.metrics import (
    CharacterErrorRate,
    NormalizedEditDistance,
    edit_distance,
    edit_operations,
    normalized_similarity,
)

WORDS = st.text(alphabet="abé中😀", max_size=8)
PREDICTIONS = ["cat", "", "dgo", "street", "", "zoo"]
LABELS = ["cart", "a", "dog", "strete", "", "zoo"]


def plain_distance(a, b):
    table = [[i + j for j in range(len(b) + 1)] for i in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            changed = table[i - 1][j - 1] + (a[i - 1] != b[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, changed)
    return table[-1][-1]


@given(WORDS, WORDS)
def test_distance_equals_plain_dynamic_programming(a, b):
    assert edit_distance(a, b) == plain_distance(a, b)


@given(WORDS, WORDS)
def test_operations_lead_from_the_label_to_the_prediction_on_a_shortest_way(a, b):
    found = edit_operations(a, b)
    assert sum(found) == plain_distance(a, b) and min(found) >= 0
    assert len(a) == len(b) - found.deletions + found.insertions


@pytest.mark.parametrize(
    ("prediction", "label", "operations"),
    [("cat", "cut", (1, 0, 0)), ("ct", "cat", (0, 1, 0)), ("cart", "cat", (0, 0, 1))],
)
def test_operations_by_hand(prediction, label, operations):
    assert edit_operations(prediction, label) == operations


@given(WORDS, WORDS)
def test_similarity_divides_by_the_longer_text(a, b):
    longer = max(len(a), len(b))
    expected = 1 - plain_distance(a, b) / longer if longer else 1.0
    assert normalized_similarity(a, b) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("prediction", "label", "similarity"),
    [("", "", 1.0), ("", "ab", 0.0), ("ab", "", 0.0), ("ab", "ba", 0.0), ("ab", "aB", 0.5)],
)
def test_similarity_by_hand(prediction, label, similarity):
    assert normalized_similarity(prediction, label) == similarity


def updated(metric, predictions=PREDICTIONS, labels=LABELS):
    metric.update(predictions, labels)
    return metric


def test_error_rate_equals_that_of_torchmetrics():
    peer = updated(CharErrorRate()).compute()
    assert updated(CharacterErrorRate()).compute() == pytest.approx(peer.item(), abs=1e-7)


def test_mean_similarity_by_hand():
    expected = (3 / 4 + 0 + 1 / 3 + 4 / 6 + 1 + 1) / 6
    assert updated(NormalizedEditDistance()).compute() == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("metric", [NormalizedEditDistance, CharacterErrorRate])
def test_several_updates_are_one(metric):
    often = metric()
    for prediction, label in zip(PREDICTIONS, LABELS, strict=True):
        often.update([prediction], [label])
    assert often.compute() == updated(metric()).compute()


@pytest.mark.parametrize("metric", [NormalizedEditDistance, CharacterErrorRate])
def test_two_processes_sum_their_counts(metric):
    first = updated(metric(), PREDICTIONS[:1], LABELS[:1])
    second = updated(metric(), PREDICTIONS[1:], LABELS[1:])
    assert set(first._reductions.values()) == {dim_zero_sum}
    for name in first._defaults:
        setattr(first, name, getattr(first, name) + getattr(second, name))
    assert first.compute() == updated(metric()).compute()


def test_error_rate_may_exceed_one():
    assert updated(CharacterErrorRate(), ["abcd"], ["x"]).compute() == 4.0


def test_rates_of_nothing():
    assert math.isnan(updated(NormalizedEditDistance(), [], []).compute())
    assert math.isnan(updated(CharacterErrorRate(), [], []).compute())
    assert math.isnan(updated(CharacterErrorRate(), [""], [""]).compute())
    assert math.isinf(updated(CharacterErrorRate(), ["a"], [""]).compute())


def test_a_mean_over_many_samples_keeps_its_digits():
    """Summed in float32, a third would get lost beyond 2**24 of them."""
    ned = NormalizedEditDistance()
    ned.similarity += 2**26
    ned.total += 2**26
    for _ in range(100):
        ned.update(["ab"], ["a"])
    assert ned.similarity == 2**26 + 50
    assert ned.compute().dtype == torch.float32


@pytest.mark.parametrize("metric", [NormalizedEditDistance, CharacterErrorRate])
def test_a_missing_prediction_is_an_error(metric):
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is longer"):
        updated(metric(), ["a"], ["a", "b"])
