"""The notebooks run from any folder, and are committed without outputs."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
PICTURES = {"dctc_on_one_word": 6, "figure4": 2}  # of those that are run


def cells_of(name):
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def code(name):
    return ["".join(cell["source"]) for cell in cells_of(name) if cell["cell_type"] == "code"]


def test_there_is_a_notebook_for_each_figure_and_one_for_the_loss():
    assert NOTEBOOKS == ["dctc_on_one_word", *(f"figure{i}" for i in (1, 2, 3, 4))]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_has_no_outputs(name):
    for cell in cells_of(name):
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_the_other_figures_are_drawn_as_figure_4_is():
    first, *drawn = code("figure4")[:3]
    for name in ("figure1", "figure3"):
        assert code(name) == [first, *(cell.replace("figure4", name) for cell in drawn)]
    assert code("figure2")[0] == first and code("figure2")[1].endswith('show("figure2")')


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
    for name, folder in (("dctc_on_one_word", FOLDER), ("figure4", tmp_path)):
        fresh = FRESH.format(folder=str(folder), root=str(FOLDER.parent))
        own = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4).cells
        for i, cell in enumerate(own):
            cell.id = f"{name}-{i}"  # notebooks share some
        cells[name] = [nbformat.v4.new_code_cell(fresh), *own]
    together = nbformat.v4.new_notebook(cells=[cell for own in cells.values() for cell in own])
    nbclient.NotebookClient(together, timeout=300).execute()
    for name, own in cells.items():
        shown = [o.get("data", {}) for cell in own for o in cell.get("outputs", ())]
        assert sum("image/png" in data for data in shown) == PICTURES[name], name
