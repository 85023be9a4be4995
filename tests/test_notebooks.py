"""The notebooks run from any folder, and are committed without outputs."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
PICTURES = {"dctc_on_one_word": 6, "figure4": 2}  # 1 of the others


def test_there_is_a_notebook_for_each_figure_and_one_for_the_loss():
    assert NOTEBOOKS == ["dctc_on_one_word", *(f"figure{i}" for i in (1, 2, 3, 4))]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_has_no_outputs(name):
    for cell in json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_draws(name, monkeypatch, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    folder = tmp_path if name in ("figure1", "figure4") else FOLDER
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    shown = [o.get("data", {}) for cell in notebook.cells for o in cell.get("outputs", ())]
    assert sum("image/png" in data for data in shown) == PICTURES.get(name, 1)
