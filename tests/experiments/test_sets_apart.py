"""Trainings on a set each become one row a model."""

import numpy as np
import pytest
from experiments.tables.sets_apart import gather, tables_of_sets

from dctc.results.registry import Record, Registry

SETS = ("Scene", "Web")
SIZES = {"Scene": 300, "Web": 100}


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


def put(registry, model, name, seeds, correct, sets=None):
    """Write records of a training on a set: of so many per hundred read, and two more with DCTC."""
    for loss, more in (("ctc", 0), ("dctc", 2)):
        for seed in seeds:
            arm, n = f"t/{model}-{name.lower()}-{loss}", SIZES[name]
            count = (correct + more) * n // 100
            hits = registry.write_hits(np.arange(n) < count)
            counts = (n, count, n - count, 5 * n, 0.9 * n, {}, "chinese", hits, name, 1.0)
            for scored in sets or [name]:
                registry.append(Record(f"{arm}{seed}", arm, seed, scored, *counts, {"steps": 1}))


def test_a_model_is_a_row_a_loss_with_both_means(registry):
    put(registry, "svtr_base", "Scene", (0, 1), 40)
    put(registry, "svtr_base", "Web", (0, 1, 2), 80)
    put(registry, "crnn", "Scene", (0, 1), 30)
    put(registry, "crnn", "Web", (0, 1), 60)
    whole, differences = tables_of_sets("T", registry, "t/", SETS)
    assert whole.columns == [*("trained", "seeds", "Scene 300", "Web 100", "mean", "weighted mean")]
    assert sorted(whole.rows) == [
        # weighted: three words of Scene for one of Web
        ["crnn, CTC", "2", "30.00", "60.00", "45.00", "37.50"],
        ["crnn, DCTC", "2", "32.00", "62.00", "47.00", "39.50"],
        ["svtr_base, CTC", "2", "40.00", "80.00", "60.00", "50.00"],
        ["svtr_base, DCTC", "2", "42.00", "82.00", "62.00", "52.00"],
    ]
    assert set(differences) == {"crnn", "svtr_base"}
    rows = {row[0]: row[1:5] for row in differences["crnn"].rows}
    assert [*rows] == ["Scene", "Web", "mean", "weighted mean"]
    assert rows["weighted mean"][:3] == ["400", "37.50", "39.50"]
    assert rows["mean"][3].startswith("+2.00 [")


def test_what_is_not_on_all_sets_keeps_its_own_table(registry):
    put(registry, "a", "Scene", (0,), 40)
    put(registry, "a", "Web", (0,), 50)
    put(registry, "b", "Web", (0,), 60)
    put(registry, "c", "Scene", (0,), 40)
    put(registry, "c", "Web", (1,), 50)
    whole, differences = tables_of_sets("T", registry, "t/", SETS)
    assert [row[0] for row in whole.rows] == ["a, CTC¹", "a, DCTC¹"]
    notes = " ".join(whole.notes)
    assert "in tables of their own: b." in notes
    assert "no seed has all that was scored: c." in notes
    assert [row[0] for row in differences["b"].rows] == ["Web"]


def test_a_set_is_read_by_what_was_trained_on_it(registry):
    put(registry, "a", "Scene", (0,), 40, sets=["Scene", "Web"])
    put(registry, "a", "Web", (0,), 50)
    first, second = gather(registry, "t/", SETS)["a"]
    assert (first.loss, second.loss) == ("CTC", "DCTC")
    assert first.records["Web"][0].arm == "t/a-web-ctc"


def test_nothing_is_drawn_of_nothing(registry):
    assert tables_of_sets("T", registry, "t/", SETS) == (None, {})
