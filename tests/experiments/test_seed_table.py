"""Arms seed by seed: counts by hand, and McNemar's test in its closed form."""

import numpy as np
import pytest
from experiments.tables.seed_table import seed_table

from dctc.results.comparison import Row
from dctc.results.registry import Registry


@pytest.fixture
def row(tmp_path, record):
    """``row(key, {seed: hits}, reference, **changes) -> Row``."""
    registry = Registry(tmp_path)

    def make(key, hits, reference="", **changes):
        tested = {
            seed: record(
                **{"arm": key, "seed": seed, "n": len(own), "correct": int(np.sum(own)), **changes},
                hits=registry.write_hits(np.asarray(own, bool)),
            )
            for seed, own in hits.items()
        }
        return Row(key, key.upper(), "", tested, {}, reference)

    return make


COLUMNS = ["loss", "compared with", "seed", "its", "own", "its only", "own only", "p", "detectable"]


def test_each_seed_of_each_arm_has_its_own_test(tmp_path, row):
    # seed 0: one read by the first alone, five by the second alone: p = 2 (1 + 6) / 2^6
    rows = [
        row("ctc", {0: [1, 0, 0, 0, 0, 0, 1, 0], 1: [1] * 8, 3: [0] * 8}),
        row("dctc", {0: [0, 1, 1, 1, 1, 1, 1, 0], 1: [1] * 8, 2: [0] * 8}, "ctc"),
        row("plus", {3: [0, 0, 0, 0, 0, 0, 0, 1]}, "ctc"),
        row("views", {3: [0] * 7 + [1]}, "plus"),
        row("ace", {5: [0] * 8}, "ctc"),  # no seed in common
        row("focal", {0: [0] * 8}, "none"),
    ]
    table = seed_table("T", Registry(tmp_path), rows, ["The end."])
    assert table.columns == COLUMNS
    # Connor: (z1 sqrt(n) + z2 sqrt(n - z1^2 + z2^2)) sqrt(q) / (n + z2^2), q 6 of 8 and 1 of 8
    assert table.rows == [
        ["DCTC", "CTC", "0", "25.00", "75.00", "1", "5", "0.219", "73.59"],
        ["DCTC", "CTC", "1", "100.00", "100.00", "0", "0", "1.000", "-"],
        ["PLUS", "CTC", "3", "0.00", "12.50", "0", "1", "1.000", "30.04"],
        ["VIEWS", "PLUS", "3", "12.50", "12.50", "0", "0", "1.000", "-"],
    ]
    notes = " ".join(table.notes)
    assert "not pooled over seeds" in notes and "It allows for samples only." in notes
    assert table.notes[-1] == "The end."


def test_nothing_in_common_makes_no_table(tmp_path, row):
    rows = [row("ctc", {0: [0, 1]}), row("dctc", {1: [0, 1]}, "ctc")]
    assert seed_table("T", Registry(tmp_path), rows) is None


def test_a_small_p_is_a_limit(tmp_path, row):
    rows = [row("ctc", {0: [0] * 40}), row("dctc", {0: [1] * 40}, "ctc")]
    assert seed_table("T", Registry(tmp_path), rows).rows[0][-2] == "<.001"


def test_other_samples_are_refused(tmp_path, row):
    rows = [row("ctc", {0: [0, 1]}), row("dctc", {0: [0, 1]}, "ctc", samples="other")]
    with pytest.raises(ValueError, match="differ in samples"):
        seed_table("T", Registry(tmp_path), rows)
