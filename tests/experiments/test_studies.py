"""The studies of the paper: each resolves at each scale; their runs are the published ones."""

from pathlib import Path

import pytest
import yaml
from experiments.parsers import SCALES
from experiments.studies import blind_studies, check_data, load, without_missing
from experiments.studies.chinese_lines import chinese_study

from dctc.results.frame import read_frame
from dctc.results.registry import Registry
from dctc.studies.runner import resolve
from dctc.studies.search import choices
from dctc.studies.status import planned_key
from dctc.studies.study import SEARCH_SEED

ROOT = Path(__file__).parents[2]
RESULTS = Registry(ROOT / "experiments" / "results")
FILES = sorted((ROOT / "experiments" / "studies").glob("*.yaml"))
# Trained on words of version 1 of the renderer, which this one does not draw
OTHER_RENDERER = "renderer/reader"


def scales(file):
    return yaml.safe_load(file.read_text()).get("scales") or ["small"]


@pytest.mark.parametrize(
    ("name", "scale"),
    [(file.stem, scale) for file in FILES for scale in scales(file) if scale != "small"],
)
def test_every_arm_resolves_at_the_smaller_scales(runs, name, scale):
    study = chinese_study(scale) if name == "chinese" else load(name, scale)
    assert study.name.endswith(f"-{scale}") and scale in SCALES
    real = study.benchmarks.names if study.benchmarks else ()
    assert {*study.sets, study.validation} <= {"rendered", "", *real}
    arms = study.arms.items() if scale == "tiny" else [*study.arms.items()][:1]
    for key, arm in arms:
        config = resolve(study.run(key, 0, arm.search.values[0] if arm.search else arm.value))
        assert config["trainer"]["max_steps"] == 1 or scale == "smoke"
        assert config["data"]["class_path"].endswith("RenderedDataModule")


def test_studies_write_their_tables_to_folders_of_their_own():
    files = [file for file in FILES if file.stem != "chinese"]
    found = [load(file.stem, next(iter(scales(file)))) for file in files]
    outputs = [study.output or study.name for study in found]
    assert len({*outputs}) == len(outputs) > len({study.name for study in found})


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """All runs of the tables at scale small, by name, whose searches are the published ones."""
    frame, found = read_frame(RESULTS), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCTC_RUNS", str(tmp_path_factory.mktemp("runs")))
        for file in FILES:
            if file.stem not in ("figures", "demo", "larger_models"):
                study = chinese_study("small") if file.stem == "chinese" else load(file.stem)
                every = study.search_runs() + study.final_runs(choices(study, frame))
                found |= {run.name: run for run in every}
        yield found


def published():
    keys = {}
    for record in RESULTS.records():
        keys.setdefault(f"{record.arm}/seed{record.seed}", set()).add(record.run)
    return keys


def test_every_published_run_is_planned_and_every_planned_one_is_published(planned):
    done = published().keys()  # of a blind study, runs are published as they end
    assert {name for name, run in planned.items() if name in done or not run.blind} == done
    assert {run.seed == SEARCH_SEED for run in planned.values()} == {True, False}


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_planned_runs_have_the_published_keys(planned, every):
    # of runs that differ in the values of the same settings, one is enough to see a change
    kinds = {(r.configs, *r.set, r.seed == SEARCH_SEED): r for r in planned.values()}
    runs = (planned if every else kinds).values()
    keys = published()
    found = {run.name: planned_key(run) for run in runs if run.arm != OTHER_RENDERER}
    assert {name: key for name, key in found.items() if keys.get(name, {key}) != {key}} == {}


def test_studies_without_their_documents_are_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DCTC_DATA", str(tmp_path))
    models, losses = load("models"), load("losses")
    assert without_missing([models, losses]) == [models]
    assert "; left out" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError):
        check_data(losses)
    for name, missing in (("sroie", "SROIE"), ("scene", "IIIT5K_2000"), ("funsd", "FUNSD")):
        assert without_missing([load(f"finetune_{name}")]) == []
        assert missing in capsys.readouterr().out
    smaller = load("losses", "tiny")  # draws words in their place
    assert without_missing([smaller]) == [smaller]


def test_whether_an_arm_is_blind_is_said_by_its_study(planned):
    arms = {run.arm: run.blind for run in planned.values()}
    assert {*arms.values()} == {True, False}
    blind = blind_studies()
    assert {arm: arm.partition("/")[0] in blind for arm in arms} == arms
