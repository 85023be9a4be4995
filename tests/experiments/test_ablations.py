"""The ablations: runs they share, what their levels change, and the script at its smallest."""

import dataclasses
import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from experiments.studies import ablation_factors, model_runs

from dctc.data.archives.alphabet import read_labels
from dctc.data.document import TAIL
from dctc.data.document_sets import SOURCES, find_documents
from dctc.results.registry import Record, Registry
from dctc.text.protocol import english36
from dctc.training.cli import RecognizerCLI
from scripts import load
from tiny import run_python

ROOT = Path(__file__).resolve().parents[2]
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def scripts():
    names = ("ablations", "table3")
    yield {name: load(name) for name in names}
    for name in names:
        del sys.modules[name]


@pytest.fixture
def ablations(scripts):
    return scripts["ablations"]


@pytest.fixture
def plan(ablations):
    return ablations.Plan("small", real=True)


def runs_of(plan, *only, seeds=(0,)):
    return {run.name: run for run in plan.runs(plan.factors(only), seeds)}


def test_runs_of_the_comparison_of_losses_are_the_same_runs(scripts, ablations, plan):
    table3 = scripts["table3"]
    theirs = table3.plan("small", real=True)
    expected = {
        run.name: run
        for arm in theirs.arms()
        for weight in theirs.weights(arm)
        for seed in SEEDS
        for run in [theirs.run(arm, weight, seed)]
    }
    shared = {
        name: run for name, run in runs_of(plan, seeds=SEEDS).items() if name.startswith("table3/")
    }
    assert len(shared) == len(ablations.TABLE3) * len(SEEDS)
    for name, run in shared.items():
        assert run == expected[name]


def test_runs_of_the_comparison_of_models_are_the_same_runs(plan):
    theirs = model_runs.study("scene", "small", ["small_resnet"], SEEDS).runs()
    runs = runs_of(plan, "alignment", seeds=SEEDS)
    for run in theirs:  # but for the benchmarks, which are no part of this table
        assert runs[run.name] == dataclasses.replace(run, tests=())
    assert {name for name in runs if name.startswith("table1/")} == {run.name for run in theirs}


def test_a_run_is_planned_once_and_those_of_a_seed_come_together(plan):
    names = [run.name for run in plan.runs(plan.factors(), SEEDS)]
    assert len(set(names)) == len(names)
    seeds = [name[-1] for name in names]
    assert seeds == sorted(seeds) and {seeds.count(str(seed)) for seed in SEEDS} == {
        len(names) // 3
    }


def test_every_level_is_compared_with_one_of_its_factor(ablations):
    for scale in ablations.SCALES.values():
        for factor in ablation_factors.factors(scale):
            keys = [level.arm.key for level in factor.levels]
            assert len(set(keys)) == len(keys)
            for level in factor.levels:
                assert (level.against in keys) != (level.against == "")
                # CTC is what everything is compared with, the estimates with the likelihood
                reference = "ctc" in level.arm.key.replace("dctc", "")
                if factor.key == "estimates":
                    reference = level.arm.key == "dctc-0.1"
                assert (level.against == "") == reference


def test_the_levels_are_those_asked_for(plan):
    found = {f.key: [level.arm.key for level in f.levels] for f in plan.factors()}
    assert found == {
        "weight": ["ctc", *(f"dctc-{w}" for w in ("0.01", "0.03", "0.1", "0.3", "1.0"))],
        "estimator": [
            *("ctc", "dctc-0.1"),
            *(f"dctc_{name}-0.1" for name in ("posterior", "viterbi", "greedy")),
        ],
        "estimates": [
            "dctc-0.1",
            *(f"dctc_{name}-0.1" for name in ("posterior", "viterbi", "greedy")),
        ],
        "warmup": ["ctc", "dctc-0.1", "dctc-0.1-warmup3125"],
        "mask": ["ctc-w32", "dctc-0.1-w32", "dctc-0.1-w32-unmasked"],
        "words": [
            *(f"{a}-{n}w" for n in (1000, 3000, 10000) for a in ("ctc", "dctc-0.1")),
            *("ctc", "dctc-0.1"),
        ],
        "length": [
            *(f"{a}-{n}s" for n in (1600, 3125, 12500) for a in ("ctc", "dctc-0.1")),
            *("ctc", "dctc-0.1"),
        ],
        "noise": ["ctc_augmented", "dctc-0.1-augmented", "ctc", "dctc-0.1"],
        "alignment": ["small_resnet-ctc", "small_resnet-dctc", "dctc_given-0.1"],
    }
    (weight,) = plan.factors(["weight"])
    assert "the mean at 0.32, 0.96, 3.2, 9.6, 32 too" in weight.notes[0]


@pytest.mark.skipif("DCTC_DATA" not in os.environ, reason="DCTC_DATA is not set: no FUNSD words")
def test_the_words_that_do_not_fit_are_counted(ablations):
    try:
        folders = find_documents(SOURCES["funsd"])
    except FileNotFoundError as error:
        pytest.skip(str(error))
    counts = {}
    for part, folder in folders.items():
        labels = [english36(label) for label in read_labels(folder)]
        if "training" in part:
            labels = labels[: len(labels) - round(TAIL * len(labels))]
        needs = [len(x) + sum(a == b for a, b in itertools.pairwise(x)) for x in labels if x]
        unfit = [sum(need > t for need in needs) for t in (ablation_factors.NARROW_FRAMES, 32)]
        counts[part] = (unfit[0], len(needs))
        assert unfit[1] == 0
    texts = [f"{unfit:,} of the {n:,}" for unfit, n in counts.values()]
    assert all(text in ablation_factors.UNFIT for text in texts), texts


def test_rendered_words_stand_in_where_they_can(ablations):
    trial = ablations.Plan("smoke", real=False)
    assert "words" not in [factor.key for factor in trial.factors()]
    assert trial.words.notes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:LightningCLI's args parameter")
def test_levels_differ_in_their_factor_only(scripts, plan, tmp_path, monkeypatch):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def resolve(run):
        config = RecognizerCLI(["--log=off", *run.options], run=False).resolved
        config["name"] = config["arm"] = ""
        return config

    resolved = {name: resolve(run) for name, run in runs_of(plan).items()}
    reference = resolved["table3/ctc/seed0"]
    scene = resolved["table1/small_resnet-ctc/seed0"]
    theirs = model_runs.study("scene", "small", ["small_resnet"], [0]).runs()
    for run in theirs:  # as the comparison of models trains it
        assert resolve(run) == resolved[run.name]
    for name, config in resolved.items():
        arm = name.split("/")[1]
        (callback,) = config["trainer"].pop("callbacks")
        arguments = callback["init_args"]
        if "ctc" in arm.replace("dctc", ""):
            assert arguments["distill_weight"] == 0
        elif arm != "small_resnet-dctc":
            assert arguments["distill_weight"] == float(arm.split("-")[1])
            assert arguments["estimator"] == (
                arm.split("-")[0].removeprefix("dctc_") if "_" in arm else "likelihood"
            )
        assert arguments["warmup_steps"] == (3125 if "warmup" in arm else 0)
        data, trainer = config["data"]["init_args"], config["trainer"]
        if arm.endswith("w"):
            assert data.pop("train_size") == int(arm.split("-")[-1][:-1])
            data["train_size"] = None
        if arm.endswith("augmented"):
            assert data["augment"] == 1.0
            data["augment"] = reference["data"]["init_args"]["augment"]
        if "-w32" in arm:
            assert data["width"] == 32
            data["width"] = None
        if arm.endswith("unmasked"):
            assert config["model"]["loss"]["init_args"]["mask_infeasible"] is False
            config["model"]["loss"] = reference["model"]["loss"]
        if arm.endswith("s"):
            steps = int(arm.split("-")[-1][:-1])
            assert (trainer["max_steps"], trainer["val_check_interval"]) == (steps, steps // 5)
            trainer["max_steps"], trainer["val_check_interval"] = 6250, 1250
    for name, config in resolved.items():
        document = config["data"]["class_path"].endswith("DocumentDataModule")
        assert config == (reference if document else scene), name


def write_records(folder, arm, name, correct):
    """Write records of 200 samples, of which so many were read with each seed."""
    registry = Registry(folder)
    for seed, count in correct.items():
        hits = registry.write_hits(np.arange(200) < count)
        registry.append(
            Record(
                *(f"{arm}{seed}", arm, seed, name, 200, count, 9, 900, 150.0, {}, "english36"),
                *(hits, "samples", 1.0, {"steps": 6250}),
            )
        )


def test_tables_are_drawn_of_the_records_of_all_three_scripts(
    ablations, plan, tmp_path, monkeypatch
):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path / "runs"))
    results = tmp_path / "results"
    # 100 is the seed of a search, 3 one that only the comparison of losses has
    write_records(results, "table3/ctc", "FUNSD", {0: 100, 1: 102, 2: 104, 3: 0, 100: 0})
    write_records(results, "table3/dctc-0.1", "FUNSD", {0: 104, 1: 104, 2: 110})
    write_records(results, "ablations/dctc-0.3", "FUNSD", {0: 90})
    write_records(results, "table3/dctc_posterior-0.1", "FUNSD", {0: 98})
    write_records(results, "table1/small_resnet-ctc", "rendered", {0: 50})
    write_records(results, "table1/small_resnet-dctc", "rendered", {0: 55})
    write_records(results, "ablations/dctc_given-0.1", "rendered", {0: 60})
    monkeypatch.setattr(sys, "argv", ["ablations", "--scale=small", f"--from={results}"])
    ablations.main()
    out = tmp_path / "runs" / "ablations"
    names = ("alignment", "estimates", "estimator", "weight")  # of the others CTC and DCTC alone
    assert sorted(file.name for file in out.glob("*.md")) == [f"{name}.md" for name in names]
    text = (out / "weight.md").read_text()
    assert "| CTC | 3 | 51.00 | 75.00 | - | - | - |" in text
    assert "| DCTC 0.1 | 3 | 53.00 | 75.00 (+0.00) | CTC | +2.00 ± 2.48 [" in text
    assert "| DCTC 0.3¹ | 1 | 45.00 | 75.00 (+0.00) | CTC | -5.00 [" in text
    assert "Least true difference" in text
    text = (out / "estimates.md").read_text()
    assert "posterior estimate¹ | 1 | 49.00 | 75.00 (+0.00) | DCTC 0.1, likelihood" in text
    text = (out / "alignment.md").read_text()
    assert "| DCTC 0.1, true alignment¹ | 1 | 30.00 | 75.00 (+0.00) | CTC | +5.00 [" in text


def test_status_counts_what_the_comparison_of_losses_has_trained(
    ablations, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("DCTC_RUNS", str(tmp_path))
    write_records(tmp_path, "table3/ctc", "FUNSD", {0: 100, 1: 102})
    monkeypatch.setattr("dctc.studies.status.planned_key", lambda run: None)  # made-up keys count
    options = ["--scale=small", "--status", "--only=warmup"]
    monkeypatch.setattr(sys, "argv", ["ablations", *options])
    ablations.main()
    assert [word for word in capsys.readouterr().out.split() if word.isdigit()][:3] == [
        *("2", "9", "7")
    ]


@pytest.mark.slow
def test_the_script_at_its_smallest(tmp_path, write_lmdb, encode_image):
    for folder in ("train/funsd_words_21888", "test/funsd_words_8707"):
        records = [(encode_image(i), f"word{i}".encode()) for i in range(50)]
        write_lmdb(tmp_path / "data" / folder, records)
    runs = tmp_path / "runs"
    environment = {"DCTC_DATA": str(tmp_path / "data"), "DCTC_RUNS": str(runs), "COLUMNS": "160"}
    options = ("--scale", "tiny", "--jobs", "2", "--log", "off", "--only", "alignment")
    done = run_python("-m", "experiments.ablations", *options, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(r.arm, r.set) for r in Registry(runs).records()}
    assert found == {
        (f"ablations-tiny/{arm}", "rendered")
        for arm in ("small_resnet-ctc", "small_resnet-dctc", "dctc_given-0.1")
    }
    assert (runs / "words" / "scene-4" / "recipe.json").exists()
    drawn = (runs / "ablations-tiny" / "alignment.md").read_text()
    assert "| DCTC 0.1, true alignment¹ | 1 |" in drawn


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "nothing"], "--only nothing: there are weight, estimator, estimates, warmup"),
        (["--seeds", "0,7"], "--seeds 7: the tables have 0"),
        (["--scale", "small"], "FUNSD, training words: no LMDB folder 'funsd_words_21888' below"),
    ],
)
def test_what_is_wrong_is_said(ablations, tmp_path, monkeypatch, options, message):
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["ablations", *options])
    with pytest.raises((ValueError, OSError), match=message):
        ablations.main()
