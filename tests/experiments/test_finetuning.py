"""The fine-tuning study's analysis, on runs made up for it, and read a second time."""

import json
from dataclasses import replace

import numpy as np
import pytest
from experiments.studies import FINETUNED, load
from experiments.tables.across_models import run_values
from experiments.tables.families import Estimate, t_estimate
from experiments.tables.finetuning import analyse, difference, draw_finetuning, mean_of
from scipy import stats

from dctc.results.frame import per_run, read_frame
from dctc.studies.compare import without_open
from dctc.studies.layouts import draw_study
from experiments import table1

STUDIES = [load(name) for name in FINETUNED]
SIX = STUDIES[2].sets


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


def second_reading(file):
    """The primary difference and its interval from the lines of a registry, without our code."""
    found, tested = {}, {"funsd": ("FUNSD_fold",), "sroie": ("SROIE_fold",), "scene": SIX}
    for line in file.read_text().splitlines():
        record = json.loads(line)
        study, _, arm = record["arm"].partition("/")
        kind, _, loss = arm.partition("-")
        if study == "finetune" and loss != "zero_shot" and record["set"] in tested[kind]:
            share = 100 * record["correct"] / record["n"] / len(tested[kind])
            of = found.setdefault(kind, {}).setdefault(loss, {})
            of[record["seed"]] = of.get(record["seed"], 0) + share
    gains, errors = [], []
    for kind, of_loss in found.items():
        table = np.array([[row[seed] for seed in sorted(row)] for row in of_loss.values()])
        rest = table - table.mean(1, keepdims=True)
        if kind != "scene":
            rest = rest - rest.mean(0)
        gains.append(np.mean([*of_loss["dctc"].values()]) - np.mean([*of_loss["ctc"].values()]))
        errors.append((rest**2).sum() / 6 * 2 / table.shape[1])
    freedom = sum(errors) ** 2 / sum(error**2 / 6 for error in errors)
    half = stats.t.ppf(0.975, freedom) * sum(errors) ** 0.5 / 3
    mean = sum(gains) / 3
    return mean, mean - half, mean + half


def test_a_second_reading_gives_the_primary_result(made):
    found = analyse(STUDIES, read_frame(made), made)
    assert found.primary[:3] == pytest.approx(second_reading(made.file), abs=1e-9)


def test_all_that_the_protocol_asks_for(made):
    frame = read_frame(made)
    found = analyse(STUDIES, frame, made)
    for study, estimate in zip(STUDIES, found.kinds.values(), strict=True):
        kind = study.output.partition("-")[2]
        arms = (per_run(frame, f"finetune/{kind}-{arm}", study.sets) for arm in ("dctc", "ctc"))
        dctc, ctc = (values.mean() for values in arms)
        assert estimate.points == pytest.approx(dctc - ctc) and estimate.freedom == 6
    assert found.primary.points == pytest.approx(np.mean([e.points for e in found.kinds.values()]))
    assert [*found.secondary] == ["minus confidence penalty", "NED", "IIIT5K"]
    assert found.secondary["NED"][0].points == pytest.approx(0.225)  # 90 of 400 x 0.01
    each = [
        difference(study, run_values(replace(study, sets=("IIIT5K",)), frame))
        for study in STUDIES[:2]  # documents
    ]
    assert found.secondary["IIIT5K"][0] == mean_of(each)


def test_the_tables_and_plots_are_drawn_when_all_three_studies_are_complete(made):
    frame = read_frame(made)
    tables, figures = draw_finetuning(STUDIES, frame, made)
    assert {*figures} == {"finetune", "finetune-calibration"} < {*tables}
    rows = {row[0]: row[1:] for row in tables["finetune"].rows}
    assert [*rows][:3] == ["FUNSD words", "FUNSD words: IIIT5K", "SROIE lines"]
    assert float(rows["FUNSD words"][0]) < float(rows["FUNSD words"][1])  # zero-shot, CTC
    assert rows["mean over kinds"][-1].startswith("+") and "rule" in tables["finetune"].notes[0]
    assert tables["finetune"].notes[1] == "Fewer words than zero-shot: nowhere."
    drawn, _ = table1.draw(STUDIES, frame, made)
    assert drawn["finetune"].rows == tables["finetune"].rows
    assert "finetune" not in table1.draw(STUDIES[:2], frame, made)[0]


def test_no_kind_of_data_is_shown_before_all_are_complete(made, capsys):
    frame = read_frame(made)
    assert without_open(STUDIES, frame) == STUDIES
    for study in STUDIES:  # by dctc compare too, which knows one file
        assert without_open([study], frame) == [study]
        assert "zero-shot" in str(draw_study(study, frame, made)[0]["compare"].rows)
    for less in (
        frame[~((frame.arm == "finetune/scene-dctc") & (frame.seed == 202))],
        frame[~((frame.arm == "finetune/sroie-ctc") & (frame.set == "IIIT5K"))],
    ):
        capsys.readouterr()
        assert without_open(STUDIES, less) == without_open(STUDIES[:1], less) == []
        assert capsys.readouterr().out.count("of 42 runs are missing") == 2
        with pytest.raises(ValueError, match=r"-d?ctc has no result of seeds \["):
            analyse(STUDIES, less, made)
