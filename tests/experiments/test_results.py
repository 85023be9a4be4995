"""The pages of measured results say what the committed evidence says."""

import json
import re
from pathlib import Path

import pytest
from experiments.figures.published import DRAW, DRAWN_FROM, FIGURES, MOST_PNG, digest, load_arrays
from PIL import Image

from dctc.results.environment import DIRTY
from dctc.results.registry import Registry
from tiny import run_python

ROOT = Path(__file__).parents[2]
RESULTS = Registry(ROOT / "experiments" / "results")
PAGE = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
RECORDS = list(RESULTS.records())
README = (ROOT / "README.md").read_text(encoding="utf-8")
READER = {record.set: record for record in RECORDS if record.arm == "renderer/reader"}
SIX = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r.arm}-{r.seed}-{r.set}")
def test_hits_and_parts_of_edits_add_up_to_the_record(record):
    assert RESULTS.read_hits(record).sum() == record.correct
    assert sum(record.about.get("edit_parts", {"all": record.edits}).values()) == record.edits


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
    source, _ = DRAW[name]
    assert drawn_from == (digest(load_arrays(folder / f"{source}.npz")) if source else None)
    assert (folder / f"{name}.png").stat().st_size <= MOST_PNG


def test_a_difference_has_one_interval_in_all_tables():
    tables = (RESULTS.folder / "TABLES.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| DCTC 0\.1 \| 8 \|.*?([-+]\S+ \[\S+\])", tables, re.MULTILINE)
    assert len(found) > 3 and len({*found}) == 1


@pytest.mark.slow
def test_the_page_of_tables_is_that_of_the_records():
    done = run_python("-m", "experiments.pages", "--check")
    assert done.returncode == 0, done.stderr
