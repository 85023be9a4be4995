"""Distances against plain dynamic programming."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dctc.metrics import edit_distance, edit_operations, normalized_similarity

WORDS = st.text(alphabet="abé中😀", max_size=8)


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
