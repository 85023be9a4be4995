"""The table of everything that CTC and DCTC were both tested on."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from dctc.reporting.cells import p_cell
from dctc.reporting.registry import Record, Registry
from dctc.reporting.significance import holm
from dctc.reporting.statistics import compare
from dctc.training.headline import headline_table
from dctc.training.scene_runs import SIX

ARMS = (("ctc", 0.5), ("dctc", 0.6))


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def put(registry):
    rng = np.random.default_rng(1)

    def put(arm, name, share, seeds=(0, 1, 2)):
        hits = rng.random((len(seeds), 200)) < share
        for seed, own in zip(seeds, hits, strict=True):
            correct = int(own.sum())
            counts = (200, correct, 200 - correct, 1000, 0.9 * 200, {}, "english36")
            stored = (registry.write_hits(own), name, 1.0, {"steps": 10})
            registry.append(Record(f"{arm}{seed}", arm, seed, name, *counts, *stored))
        return hits

    return put


def test_without_both_losses_there_is_none(registry, put):
    assert headline_table(registry) is None
    put("table2/small_resnet-ctc", "rendered", 0.5)
    assert headline_table(registry) is None


def test_each_kind_of_test_data_has_a_row_and_all_are_corrected_together(registry, put):
    chinese = [put(f"table2/small_resnet-{loss}", "rendered", s) for loss, s in ARMS]
    scene = [[put(f"table1/small_resnet-{loss}", n, s) for n in SIX] for loss, s in ARMS]
    # of forms that weight which the search has chosen, without the seed of the search
    for weight, share in (("0.01", 0.2), ("0.03", 0.9), ("0.1", 0.2)):
        put(f"table3/dctc-{weight}", "FUNSD_val", share, seeds=(100,))
    put("table3/ctc", "FUNSD_val", 0.5, seeds=(100,))
    forms = [put(f"table3/{arm}", "FUNSD", s) for arm, s in (("ctc", 0.5), ("dctc-0.03", 0.6))]
    table = headline_table(registry)
    assert [row[:3] for row in table.rows] == [
        ["words of forms (FUNSD)", "200", "3"],
        ["scene words, six-set mean", "1,200", "3"],
        ["Chinese lines, rendered", "200", "3"],
    ]
    shares = [f"{100 * np.mean(of_sets):.2f}" for of_sets in scene]
    assert table.rows[1][3:5] == shares
    p = {"forms": compare(*forms).p, "chinese": compare(*chinese).p}
    means = [np.mean(of_sets, axis=(0, 2)) for of_sets in scene]
    p["scene"] = float(ttest_1samp(means[1] - means[0], 0.0).pvalue)
    corrected = holm(p)
    for name, row in zip(("forms", "scene", "chinese"), table.rows, strict=True):
        assert row[6:8] == [p_cell(p[name]), p_cell(corrected[name])]
