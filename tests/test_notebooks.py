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


# Between two notebooks of one kernel: nothing that the first has imported or named is left of it.
FRESH = """
import os, sys
os.chdir({folder!r})
sys.path[:] = [path for path in sys.path if path != {root!r}]
for name in [name for name in sys.modules if name.partition(".")[0] == "experiments"]:
    del sys.modules[name]
%reset -f"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_notebooks_run_and_draw(monkeypatch, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent / "src"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    cells = {}
    for name in NOTEBOOKS:
        folder = tmp_path if name in ("figure1", "figure4") else FOLDER
        fresh = FRESH.format(folder=str(folder), root=str(FOLDER.parent))
        own = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
        for i, cell in enumerate(own):
            cell.id = f"{name}-{i}"  # notebooks share some
        cells[name] = [nbformat.v4.new_code_cell(fresh), *own]
    together = nbformat.v4.new_notebook(cells=[cell for own in cells.values() for cell in own])
    nbclient.NotebookClient(together, timeout=300).execute()
    for name, own in cells.items():
        shown = [o.get("data", {}) for cell in own for o in cell.get("outputs", ())]
        assert sum("image/png" in data for data in shown) == PICTURES.get(name, 1), name
