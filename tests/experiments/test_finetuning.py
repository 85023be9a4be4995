"""The fine-tuning study's analysis, on runs made up for it."""

import numpy as np
import pytest
from experiments.studies import FINETUNED, load
from experiments.tables.families import Estimate, t_estimate
from experiments.tables.finetuning import analyse, draw_finetuning, mean_of
from scipy import stats

from dctc.results.frame import per_run, read_frame
from experiments import table1

STUDIES = [load(name) for name in FINETUNED]


def test_the_mean_of_two_differences_is_welchs():
    """Of two independent means of unequal spread, half their sum has Welch's t."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(0.4, 1, 5), rng.normal(0.1, 3, 9)
    each = [t_estimate(x.mean(), stats.sem(x), len(x) - 1) for x in (first, second)]
    welch = stats.ttest_ind(first, -second, equal_var=False)
    found = mean_of(each)
    assert found.points == pytest.approx((first.mean() + second.mean()) / 2)
    assert (found.p, found.freedom) == pytest.approx((welch.pvalue, welch.df))
    assert mean_of([Estimate(1, 0, 2, 0.1, 0.5, 6)] * 3).freedom == pytest.approx(18)


def test_all_that_the_protocol_asks_for(made):
    frame = read_frame(made)
    found = analyse(STUDIES, frame, made)
    for study, estimate in zip(STUDIES, found.kinds.values(), strict=True):
        kind = study.output.partition("-")[2]
        arms = (per_run(frame, f"finetune/{kind}-{arm}", study.sets) for arm in ("dctc", "ctc"))
        dctc, ctc = (values.mean() for values in arms)
        assert estimate.points == pytest.approx(dctc - ctc) and estimate.freedom == 6
    assert found.primary.points == pytest.approx(np.mean([e.points for e in found.kinds.values()]))
    assert 6 < found.primary.freedom <= 18
    assert [*found.secondary] == ["minus confidence penalty", "NED", "IIIT5K"]
    assert found.secondary["NED"][0].points == pytest.approx(0.225)  # 90 of 400 x 0.01
    assert found.secondary["IIIT5K"][0].freedom <= 12  # of the two kinds of documents


def test_the_tables_and_plots_are_drawn_when_all_three_studies_are_complete(made):
    frame = read_frame(made)
    tables, figures = draw_finetuning(STUDIES, frame, made)
    assert {*figures} == {"finetune", "finetune-calibration"} < {*tables}
    rows = {row[0]: row[1:] for row in tables["finetune"].rows}
    assert [*rows][:3] == ["FUNSD words", "FUNSD words: IIIT5K", "SROIE lines"]
    assert float(rows["FUNSD words"][0]) < float(rows["FUNSD words"][1])  # zero-shot, CTC
    assert rows["mean over kinds"][-1].startswith("+") and "rule" in tables["finetune"].notes[0]
    drawn, _ = table1.draw(STUDIES, frame, made)
    assert drawn["finetune"].rows == tables["finetune"].rows
    assert "finetune" not in table1.draw(STUDIES[:2], frame, made)[0]
