"""Runs on rendered scene words: their data, their tests, and what comparisons share of them."""

from pathlib import Path

import pytest
import yaml
from experiments.studies.scene_runs import CONFIG, SCALES, SIX, SceneRuns, both_losses
from rich.console import Console

from dctc.data.rendered import RenderedDataModule
from dctc.studies.real_words import Benchmarks
from dctc.studies.study import Arm


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Empty folders of data and runs, in the environment too."""
    for name in ("data", "runs"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"DCTC_{name.upper()}", str(tmp_path / name))
    monkeypatch.chdir(Path(__file__).parents[2])
    return tmp_path


def test_stored_words_are_those_that_are_trained_on_once(folders):
    config = yaml.safe_load(CONFIG.read_text())
    data, trainer = config["data"]["init_args"], config["trainer"]
    assert data["epoch_size"] == 200_000 == trainer["max_steps"] * data["batch_size"]
    expected = RenderedDataModule(**data)
    words = SceneRuns("small").words.data()
    assert (words.text, words.sizes, words.fonts, words.preset, words.seed) == (
        *(expected.text, expected.sizes, "system", "scene", expected.seed),
    )
    assert SceneRuns("small").words.folder == folders / "runs" / "words" / "scene-200000"
    tiny = SceneRuns("tiny").words.data()
    assert (tiny.fonts, tiny.text["words"], tiny.sizes["train"]) == (None, "python", 4)
    smoke = SceneRuns("smoke").words.data()
    steps = next(o for o in SCALES["smoke"] if "max_steps" in o)
    assert smoke.sizes["train"] == 32 * int(steps.split("=")[1])


def test_both_losses_differ_in_the_weight_only():
    ctc, dctc = both_losses("crnn", ("--a=1",))
    assert (ctc.key, dctc.key) == ("crnn-ctc", "crnn-dctc")
    loss, weight = "--config=experiments/configs/loss/", "--trainer.callbacks.init_args."
    net = "--config=experiments/configs/model/crnn.yaml"
    for arm, name, value in ((ctc, "ctc", "0.0"), (dctc, "dctc", "0.1")):
        expected = (net, f"{loss}{name}.yaml", f"{weight}distill_weight={value}", "--a=1")
        assert arm.options == expected


def test_a_study_reads_the_stored_words_and_is_scored_on_the_benchmarks_that_are_there(
    folders, write_lmdb, encode_image
):
    runs = SceneRuns("small")
    (run,) = runs.study("t", [Arm("a", "A", ("--a=1",))], [7]).runs()
    stored = f"--data.init_args.stored={folders / 'runs' / 'words' / 'scene-200000'}"
    expected = (f"--config={CONFIG}", stored, "--a=1", "--seed_everything=7", "--arm=t/a")
    assert (run.name, run.options, run.tests) == ("t/a/seed7", expected, ())
    write_lmdb(folders / "data" / "test" / "SVT_647", [(encode_image(), b"word")])
    assert runs.study("t", [], []).tests == (Benchmarks(SIX),)
    assert SceneRuns("tiny").tests == (Benchmarks(SIX, allow_size_mismatch=True),)


def test_words_are_drawn_and_what_stands_in_is_said(folders):
    console = Console(record=True, width=300)
    runs = SceneRuns("tiny")
    runs.prepare(console)
    assert (runs.words.folder / "data.mdb").is_file()
    text = console.export_text()
    assert f"No real benchmarks found below {folders / 'data'} (DCTC_DATA)" in text
