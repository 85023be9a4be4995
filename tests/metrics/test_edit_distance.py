"""Operations and similarity against torchmetrics' edit distance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.text import edit_distance as peer

from dctc.metrics.edit_distance import edit_operations, normalized_similarity

WORDS = st.text(alphabet="abé中😀", max_size=8)


def distance(a, b):
    return peer([a], [b]).item()


@given(WORDS, WORDS)
def test_operations_lead_from_the_label_to_the_prediction_on_a_shortest_way(a, b):
    found = edit_operations(a, b)
    assert sum(found) == distance(a, b) and min(found) >= 0
    assert len(a) == len(b) - found.deletions + found.insertions


@given(WORDS, WORDS)
def test_similarity_divides_by_the_longer_text(a, b):
    longer = max(len(a), len(b))
    expected = 1 - distance(a, b) / longer if longer else 1.0
    assert normalized_similarity(a, b) == pytest.approx(expected, abs=1e-12)
