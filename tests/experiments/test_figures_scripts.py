"""The scripts of the figures at their smallest scale, and the notebooks on what they wrote."""

import json
import shutil
from pathlib import Path

import pytest
from experiments.figures.published import MOST, PUBLISHED, load_arrays
from PIL import Image

from offline_wandb import wandb_records
from tiny import run_python

ROOT = Path(__file__).parents[2]
FIGURES = ("figure1", "figure2", "figure3", "figure4")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def script(name, folder, log="off"):
    done = run_python(
        f"experiments/{name}.py",
        *("--scale", "tiny", "--log", log),
        DCTC_RUNS=str(folder / "runs"),
        DCTC_DATA=str(folder / "data"),
        COLUMNS="120",
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All figures, made one after another; what they trained they share."""
    folder = tmp_path_factory.mktemp("figures")
    return folder, {name: script(name, folder) for name in FIGURES}


def out(folder, name):
    return folder / "runs" / (name if name == "figure2" else f"{name}-tiny")


@pytest.mark.slow
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
        assert f"written to {file}" in said[name].replace("\n", "")
    assert name == "figure2" or arrays.stat().st_size < MOST


@pytest.mark.slow
def test_figures_share_their_trainings_and_know_what_is_done(made):
    folder, said = made
    trained = sorted((folder / "runs" / "figures-tiny").glob("*/*/checkpoints/final.ckpt"))
    arms = ["/".join(path.parts[-4:-2]) for path in trained]
    assert arms == [f"{arm}/seed{i}" for arm in ("attention", "ctc", "dctc") for i in (0, 1)]
    assert "Training" in said["figure1"]
    assert not any("Training" in said[name] for name in ("figure3", "figure4"))
    records = (folder / "runs" / "results.jsonl").read_text().splitlines()
    assert len(records) == 6
    times = [path.stat().st_mtime_ns for path in trained]
    arrays = (out(folder, "figure1") / "figure1.npz").read_bytes()
    assert "Training" not in script("figure1", folder)
    assert [path.stat().st_mtime_ns for path in trained] == times
    assert (folder / "runs" / "results.jsonl").read_text().splitlines() == records
    assert (out(folder, "figure1") / "figure1.npz").read_bytes() == arrays


@pytest.mark.slow
def test_real_words_are_measured_and_drawn_and_stay_here(made, tmp_path, write_lmdb, encode_image):
    records = [(encode_image(i), f"word{i}".encode()) for i in range(5)]
    write_lmdb(tmp_path / "data" / "train" / "SVT_257", records)
    shutil.copytree(made[0] / "runs", tmp_path / "runs")  # nothing has to be trained again
    said = script("figure1", tmp_path, log="offline")
    assert "rendered words only" not in said
    folder = out(tmp_path, "figure1")
    drawn = {path.name for path in folder.glob("figure1*")}
    assert drawn == {
        f"figure1{what}.{kind}" for what in ("", "-real_train_words") for kind in ("png", "svg")
    } | {"figure1.npz"}
    arrays = load_arrays(folder / "figure1.npz")
    assert arrays["sets"].tolist() == ["rendered", "real_train_words"]
    assert arrays["characters"][:, 1].tolist() == [[25]] * 3 and arrays["words"][1] == 5
    assert not any(label.startswith("word") for label in arrays["labels"])  # those of no figure
    run, _ = wandb_records(folder)
    pictures = [path.name for path in (run / "files").rglob("*.png")]
    assert len(pictures) == 1 and pictures[0].startswith("figure1_")


def test_there_is_a_notebook_for_each_figure_without_outputs():
    assert [path.stem for path in NOTEBOOKS] == list(FIGURES)
    for path in NOTEBOOKS:
        assert path.stat().st_size < 3_000
        cells = json.loads(path.read_text())["cells"]
        for cell in cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None


def execute(path, folder):
    """Run a notebook in a folder; return what it showed."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()
    return [o for cell in notebook.cells for o in cell.get("outputs", ())]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_draws_what_is_published(made, tmp_path, name, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    (tmp_path / "notebooks").mkdir()
    if name != "figure2":
        said, *more = execute(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
        assert said["text"].startswith(f"{name} is not published yet: ./reproduce.sh {name} ")
        assert all(f": ./reproduce.sh {name} " in line["text"] for line in more)
        (tmp_path / PUBLISHED).mkdir(parents=True)
        arrays = (out(made[0], name) / f"{name}.npz").read_bytes()
        (tmp_path / PUBLISHED / f"{name}.npz").write_bytes(arrays)
    shown, *_ = execute(ROOT / "notebooks" / f"{name}.ipynb", tmp_path / "notebooks")
    assert "image/png" in shown["data"]
