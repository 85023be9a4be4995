"""The table of everything that CTC and DCTC were both tested on."""

import numpy as np
import pytest
from experiments.studies.headline import edits_table, headline_table, parts_table
from experiments.studies.scene_runs import SIX
from scipy.stats import ttest_1samp

from dctc.metrics.edit_distance import EditOperations
from dctc.results.cells import p_cell
from dctc.results.power import detectable_over_seeds
from dctc.results.registry import Record, Registry
from dctc.results.significance import holm
from dctc.results.statistics import compare

ARMS = (("ctc", 0.5), ("dctc", 0.6))


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def put(registry):
    rng = np.random.default_rng(1)

    def put(arm, name, share, seeds=(0, 1, 2), similarity=(0.9, 0.9, 0.9), dropped=None):
        hits = rng.random((len(seeds), 200)) < share
        for seed, own, alike in zip(seeds, hits, similarity, strict=False):
            correct = int(own.sum())
            counts = (200, correct, 200 - correct, 1000, alike * 200, {}, "english36")
            about = {"steps": 10}
            if dropped and dropped[seed] is not None:
                parts = (correct - 100, dropped[seed], 300 - 2 * correct - dropped[seed])
                about["edit_parts"] = EditOperations(*parts)._asdict()
            stored = (registry.write_hits(own), name, 1.0, about)
            registry.append(Record(f"{arm}{seed}", arm, seed, name, *counts, *stored))
        return hits

    return put


def parts(registry, arm, seed):
    (record,) = (r for r in registry.records() if (r.arm, r.seed) == (arm, seed))
    return record.about["edit_parts"]


def registry_cer(registry, arm, seed):
    (record,) = (r for r in registry.records() if (r.arm, r.seed) == (arm, seed))
    return 100 * record.edits / record.characters


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


def test_ned_and_cer_of_the_same_seeds_and_sets(registry, put):
    put("table2/small_resnet-ctc", "rendered", 0.5, seeds=(0, 1, 2))
    put("table2/small_resnet-dctc", "rendered", 0.5, seeds=(0, 1), similarity=(0.92, 0.93))
    for i, name in enumerate(SIX):
        put("table1/small_resnet-ctc", name, 0.5)
        alike = (0.9, 0.9 - 0.06 * (i == 2), 0.9)  # of one set and seed, so a sixth of it
        put("table1/small_resnet-dctc", name, 0.5, similarity=alike)
    table = edits_table(registry)
    assert [row[:2] for row in table.rows] == [
        ["scene words, six-set mean", "3"],
        ["Chinese lines, rendered", "2"],
    ]
    gains = np.array([0.0, -1.0, 0.0])
    test = ttest_1samp(gains, 0.0)
    half = np.ptp(test.confidence_interval(0.95)) / 2
    assert table.rows[0][2:5] == ["90.00", "89.67", f"-0.33 ± {half:.2f}"]
    assert table.rows[0][5] == p_cell(test.pvalue)
    assert table.rows[1][2:4] == ["90.00", "92.50"]
    least = detectable_over_seeds(gains)
    assert f"in points: NED of scene words, six-set mean {least:.2f}; CER of" in table.notes[1]
    # 200 less the correct ones of 1,000 characters; of the Chinese lines only the common seeds
    cer = {
        loss: np.mean([registry_cer(registry, f"table2/small_resnet-{loss}", s) for s in (0, 1)])
        for loss in ("ctc", "dctc")
    }
    assert table.rows[1][6:8] == [f"{cer['ctc']:.2f}", f"{cer['dctc']:.2f}"]


def test_without_both_losses_there_are_no_edits(registry, put):
    put("table2/small_resnet-ctc", "rendered", 0.5)
    assert edits_table(registry) is None


def test_what_the_edits_are_of_the_seeds_whose_records_say_it(registry, put):
    assert parts_table(registry) is None
    put("table2/small_resnet-ctc", "rendered", 0.5, dropped=(20, 30, None))
    put("table2/small_resnet-dctc", "rendered", 0.5, dropped=(25, 45, 50))
    put("table1/small_resnet-ctc", SIX[0], 0.5, dropped=(1, 2, 3))
    table = parts_table(registry)
    assert [row[:3] for row in table.rows] == [
        ["Chinese lines, rendered", called, "2"]
        for called in ("read as others", "dropped", "added")
    ]
    test = ttest_1samp([0.5, 1.5], 0.0)
    half = np.ptp(test.confidence_interval(0.95)) / 2
    # of 1,000 characters
    least = f"{detectable_over_seeds(np.array([0.5, 1.5])):.2f}"
    assert table.rows[1][3:] == ["2.50", "3.50", f"+1.00 ± {half:.2f}", p_cell(test.pvalue), least]
    for row, kind in ((table.rows[0], "substitutions"), (table.rows[2], "insertions")):
        for cell, loss in zip(row[3:5], ("ctc", "dctc"), strict=True):
            found = [parts(registry, f"table2/small_resnet-{loss}", seed)[kind] for seed in (0, 1)]
            assert float(cell) == pytest.approx(np.mean(found) / 10, abs=0.0051)


def test_parts_of_edits_of_several_sets_of_one_seed_and_of_an_ablation(registry, put):
    for k, name in enumerate(SIX):
        put("table1/small_resnet-ctc", name, 0.5, seeds=(0,), dropped=(6 * k,))
        put("table1/small_resnet-dctc", name, 0.5, seeds=(0,), dropped=(6 * k + 10,))
    put("ablations/ctc-w32", "FUNSD", 0.5, dropped=(10, 10, 10))
    put("ablations/dctc-0.1-w32", "FUNSD", 0.5, dropped=(20, 20, 30))
    dropped = {row[0]: row[2:] for row in parts_table(registry).rows if row[1] == "dropped"}
    assert dropped["scene words, six-set mean"] == ["1", "1.50", "2.50", "+1.00", "-", "-"]
    assert dropped["FUNSD, 8 frames"][:3] == ["3", "1.00", "2.33"]
