"""Two arms seed by seed: counts by hand, and McNemar's test in its closed form."""

import numpy as np
import pytest

from dctc.reporting.comparison import Row
from dctc.reporting.registry import Registry
from dctc.reporting.seed_table import seed_table


@pytest.fixture
def row(tmp_path, record):
    """``row(key, {seed: hits}, **changes) -> Row``."""
    registry = Registry(tmp_path)

    def make(key, hits, **changes):
        tested = {
            seed: record(
                **{"arm": key, "seed": seed, "n": len(own), "correct": int(np.sum(own)), **changes},
                hits=registry.write_hits(np.asarray(own, bool)),
            )
            for seed, own in hits.items()
        }
        return Row(key, key.upper(), "", tested, {})

    return make


def test_each_seed_has_its_own_test(tmp_path, row):
    # seed 0: one read by the first alone, five by the second alone: p = 2 (1 + 6) / 2^6
    first = row("ctc", {0: [1, 0, 0, 0, 0, 0, 1, 0], 1: [1] * 8, 3: [0] * 8})
    second = row("dctc", {0: [0, 1, 1, 1, 1, 1, 1, 0], 1: [1] * 8, 2: [0] * 8})
    table = seed_table("T", Registry(tmp_path), first, second, ["The end."])
    assert table.columns == ["seed", "CTC", "DCTC", "CTC only", "DCTC only", "p"]
    assert table.rows == [
        ["0", "25.00", "75.00", "1", "5", "0.219"],
        ["1", "100.00", "100.00", "0", "0", "1.000"],
    ]
    assert "not pooled over seeds" in table.notes[0] and table.notes[-1] == "The end."


def test_a_small_p_is_a_limit(tmp_path, row):
    first, second = row("ctc", {0: [0] * 40}), row("dctc", {0: [1] * 40})
    assert seed_table("T", Registry(tmp_path), first, second).rows[0][-1] == "<.001"


def test_other_samples_are_refused(tmp_path, row):
    first, second = row("ctc", {0: [0, 1]}), row("dctc", {0: [0, 1]}, samples="other")
    with pytest.raises(ValueError, match="differ in samples"):
        seed_table("T", Registry(tmp_path), first, second)
