"""The pages of measured results say what the committed evidence says."""

import json
import re
from pathlib import Path

import pytest
from experiments.figures.published import DRAWN_FROM, FIGURES, MOST_PNG, TABLES, digest, load_arrays
from PIL import Image

from dctc.results.environment import DIRTY
from dctc.results.registry import Registry

ROOT = Path(__file__).parents[2]
RESULTS = Registry(ROOT / "experiments" / "results")
PAGE = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_hits_and_parts_of_edits_add_up_to_the_records():
    records = list(RESULTS.records())
    assert len(records) > 200
    for record in records:
        assert RESULTS.read_hits(record).sum() == record.correct, record
        parts = record.about.get("edit_parts", {"all": record.edits})
        assert sum(parts.values()) == record.edits, record


def test_benchmarks_were_measured_at_a_commit():
    files = sorted((RESULTS.folder / "bench").glob("*.json"))
    assert {"loss.json", "losses.json", "models.json"} <= {file.name for file in files}
    for file in files:
        assert not json.loads(file.read_text(encoding="utf-8"))["commit"].endswith(DIRTY)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_on_a_page_is_drawn_from_the_committed_arrays(name):
    assert f"results/figures/{name}.png)" in PAGE + README
    folder = RESULTS.folder / "figures"
    with Image.open(folder / f"{name}.png") as image:
        drawn_from = image.text.get(DRAWN_FROM)
    own = digest(load_arrays(folder / f"{name}.npz")) if name in TABLES else None
    assert drawn_from == own
    assert (folder / f"{name}.png").stat().st_size <= MOST_PNG


def test_a_difference_has_one_interval_in_all_tables():
    tables = (RESULTS.folder / "TABLES.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| DCTC 0\.1 \| 8 \|.*?([-+]\S+ \[\S+\])", tables, re.MULTILINE)
    assert len(found) > 3 and len({*found}) == 1
