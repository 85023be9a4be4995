"""How numbers and their chance stand in tables."""

import math

import pytest

from dctc.results.cells import (
    detectable_cell,
    detectable_column_notes,
    detectable_notes,
    difference_cell,
    interval_cell,
    p_cell,
)
from dctc.results.statistics import Comparison


def comparison(seeds=3, detectable=0.5):
    several = seeds > 1
    t = (0.02, 0.25, 1.75) if several else (None, None, None)
    return Comparison(1.0, 0.5, 1.5, *t, detectable, seeds, 100)


@pytest.mark.parametrize(
    ("p", "cell"),
    [(0.04, "0.040"), (1.0, "1.000"), (0.001, "0.001"), (0.0009, "<.001"), (0.0, "<.001")],
)
def test_a_p_is_never_0(p, cell):
    assert p_cell(p) == cell
    assert p_cell(p, "‡") == f"{cell}‡"


def test_an_unknown_p_has_no_mark():
    assert p_cell(None) == p_cell(None, "‡") == "-"


def test_an_interval_is_left_out_where_there_is_none():
    assert interval_cell(71.0, 70.5, 71.25) == "71.00 [70.50, 71.25]"
    assert interval_cell(71.0, None, None) == "71.00"
    assert interval_cell(-0.004, -1.0, 0.0, "+") == "-0.00 [-1.00, +0.00]"


def test_a_difference_has_both_intervals_and_with_one_seed_the_bootstraps():
    assert difference_cell(comparison()) == "+1.00 ± 0.75 [+0.50, +1.50]"
    assert difference_cell(comparison(seeds=1)) == "+1.00 [+0.50, +1.50]"


def test_what_is_detectable_is_said_apart_for_the_two_tests():
    found = {"A": comparison(), "B": comparison(seeds=1), "C": comparison(8, math.nan)}
    seeds, samples = detectable_notes(found)
    assert "the t-test over seeds" in seeds and "in points: A 0.50; C -. It takes the" in seeds
    assert "McNemar's test of one seed" in samples and "in points: B 0.50. It allows" in samples
    for note in (seeds, samples):
        assert "at the 5 % level before correction" in note
    assert detectable_notes({}) == []
    assert [len(detectable_column_notes(*of)) for of in ((), (found["A"],), found.values())] == [
        *(0, 1, 2)
    ]
    assert detectable_cell(math.nan) == "-"
