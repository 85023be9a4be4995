"""The scripts of the figures at their smallest scale."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from experiments.__main__ import main
from experiments.figures.published import MOST, load_arrays
from PIL import Image

from dctc.data.rendered import RenderedDataModule
from dctc.studies import parallel
from experiments import figure4
from offline_wandb import wandb_records
from places import runs_in
from scripts import execute_here

FIGURES = ("figure1", "figure2", "figure3", "figure4")


def script(name, folder, *options, log="off"):
    """Run a script, its trainings too, with a folder's runs and data; return what it printed."""
    with runs_in(folder) as patch:
        patch.setattr(parallel, "execute_all", execute_here)
        patch.setenv("COLUMNS", "500")
        common = ["--scale", "tiny", "--jobs", "1", "--log", log]
        with redirect_stdout(io.StringIO()) as said:
            main([name, *common, *options])
    return said.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All figures, made one after another; what they trained they share."""
    folder = tmp_path_factory.mktemp("figures")
    return folder, {name: script(name, folder) for name in FIGURES}


def out(folder, name):
    return folder / "runs" / (name if name == "figure2" else f"{name}-tiny")


@pytest.mark.parametrize("name", FIGURES)
def test_a_script_leaves_its_figure_and_arrays(made, name):
    folder, said = made
    with Image.open(out(folder, name) / f"{name}.png") as image:
        image.load()
        assert min(image.size) > 400
        assert len(image.convert("L").getcolors(256) or range(257)) > 10  # not an empty sheet
    assert "<svg" in (out(folder, name) / f"{name}.svg").read_text()
    arrays = out(folder, name) / f"{name}.npz"
    assert arrays.exists() == (name != "figure2")
    for file in [p for p in out(folder, name).iterdir() if p.is_file()]:
        assert f"written to {file}\n" in said[name]
    assert name == "figure2" or arrays.stat().st_size < MOST


def test_figures_share_their_trainings_and_real_words_stay_here(made, write_lmdb, encode_image):
    """Real words that come later are measured and drawn; nothing is trained again for them."""
    folder, said = made
    trained = sorted((folder / "runs" / "figures-tiny").glob("*/*/checkpoints/final.ckpt"))
    arms = ["/".join(path.parts[-4:-2]) for path in trained]
    assert arms == [f"{arm}/seed{i}" for arm in ("attention", "ctc", "dctc") for i in (0, 1)]
    registry = folder / "runs" / "results.jsonl"
    assert len(registry.read_text().splitlines()) == 6  # figures 3 and 4 have trained nothing
    times = [path.stat().st_mtime_ns for path in trained]
    before = load_arrays(out(folder, "figure1") / "figure1.npz")

    records = [(encode_image(i), f"word{i}".encode()) for i in range(5)]
    write_lmdb(folder / "data" / "train" / "SVT_257", records)
    again = script("figure1", folder, log="offline")
    assert "rendered words only" in said["figure1"] and "rendered words only" not in again
    assert [path.stat().st_mtime_ns for path in trained] == times
    assert len(registry.read_text().splitlines()) == 12
    drawn = {path.name for path in out(folder, "figure1").glob("figure1*")}
    assert drawn == {
        f"figure1{what}.{kind}" for what in ("", "-real_train_words") for kind in ("png", "svg")
    } | {"figure1.npz"}
    arrays = load_arrays(out(folder, "figure1") / "figure1.npz")
    assert arrays["sets"].tolist() == ["rendered", "real_train_words"]
    assert arrays["characters"][:, 1].tolist() == [[25]] * 3 and arrays["words"][1] == 5
    for name in ("images", "labels", "weights", "gradients"):  # of rendered words, as before
        assert np.array_equal(arrays[name], before[name])
    run, _ = wandb_records(out(folder, "figure1"))
    pictures = [path.name for path in (run / "files").rglob("*.png")]
    assert len(pictures) == 1 and pictures[0].startswith("figure1_")


@pytest.mark.parametrize("name", FIGURES)
def test_published_figures_are_drawn_without_training(name, tmp_path, capsys):
    results = Path(figure4.__file__).with_name("results")
    with runs_in(tmp_path), pytest.raises(SystemExit) as ended:
        main([name, "--scale", "small", "--from", str(results)])
    assert ended.value.code == 0 and "written to" in capsys.readouterr().out
    assert (tmp_path / "runs" / name / f"{name}.png").exists()
    if name != "figure2":
        made, published = tmp_path / "runs" / name, results / "figures"
        made, published = (load_arrays(folder / f"{name}.npz") for folder in (made, published))
        assert made.keys() == published.keys()
        assert all(np.array_equal(made[key], published[key]) for key in made)


PARTS = {"english": "figure4", "chinese": "figure4-chinese"}


@pytest.mark.parametrize(("part", "name"), PARTS.items())
def test_one_part_of_a_published_figure_is_drawn_alone(tmp_path, part, name):
    results = Path(figure4.__file__).with_name("results")
    options = ["--scale", "small", "--from", str(results), "--only", part]
    with runs_in(tmp_path), pytest.raises(SystemExit) as ended:
        main(["figure4", *options])
    assert ended.value.code == 0
    assert [file.name for file in (tmp_path / "runs").iterdir()] == [name]


def test_figures_of_smaller_scales_are_not_published(capsys):
    with pytest.raises(SystemExit):
        main(["figure1", "--scale", "tiny", "--from", "x"])
    assert "figures of --scale small alone" in capsys.readouterr().err


def test_more_lines_go_on_where_the_tested_ones_end():
    data = RenderedDataModule(batch_size=4, test_size=4, num_workers=0)
    (tested,) = figure4.runs.test_batches(data)
    first, second = figure4.more_lines(data, 8)
    assert first.label == tested.label and first.key == tested.key
    assert not set(second.key) & set(first.key)
    assert len([*figure4.runs.test_batches(data)]) == 1  # the run's own set is as it was


def test_short_trainings_have_no_chinese_part(tmp_path, capsys):
    with pytest.raises(SystemExit):
        script("figure4", tmp_path, "--only", "chinese")
    assert "shorter trainings than those of scale small" in capsys.readouterr().err
