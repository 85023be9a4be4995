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


def test_the_readers_mean_is_that_of_its_records():
    mean = sum(100 * READER[name].correct / READER[name].n for name in SIX) / len(SIX)
    assert f"| reader | mean of six |  | {mean:.2f} |" in PAGE
    assert f"{mean:.1f} %" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_on_a_page_is_drawn_from_the_committed_arrays(name):
    assert f"results/figures/{name}.png)" in PAGE + README
    folder = RESULTS.folder / "figures"
    with Image.open(folder / f"{name}.png") as image:
        drawn_from = image.text.get(DRAWN_FROM)
    source, _ = DRAW[name]
    assert drawn_from == (digest(load_arrays(folder / f"{source}.npz")) if source else None)
    assert (folder / f"{name}.png").stat().st_size <= MOST_PNG


@pytest.mark.slow
def test_the_tables_of_the_page_are_those_of_the_evidence():
    done = run_python("-m", "experiments.pages", "--check")
    assert done.returncode == 0, done.stderr


NUMBER = r"-?\d[\d,]*\.\d+"
# How a sentence gives a difference, and how a table does
KINDS = [
    (f"({NUMBER})", f"({NUMBER})"),
    (f"({NUMBER}) ± ({NUMBER})", f"({NUMBER}) ± ({NUMBER})"),
    (
        rf"({NUMBER}) ± ({NUMBER})[^.;()]{{0,9}}[(,] ?({NUMBER}) to ({NUMBER})",
        rf"({NUMBER}) ± ({NUMBER}) \[\+?({NUMBER}), \+?({NUMBER})\]",
    ),
]
# What stands in no table: the largest gains of a seed on receipts and on Chinese lines, what the
# earlier nets of the figures had, a limit of p
ELSEWHERE = {"2.56", "2.65", "27.5", "41.8", "1.8", "11.4", "0.001"}


def numbers(kind, texts):
    """Return the numbers of every match, without sign: a sentence may say that so much is lost."""
    found = (match for text in texts for match in re.findall(kind, text))
    rows = {(match,) if isinstance(match, str) else match for match in found}
    return {tuple(number.replace(",", "").lstrip("-") for number in row) for row in rows}


def gives(table, told):
    """Whether the numbers of a table are those told, an interval from either end."""
    turns = [table, (*table[:2], *table[:1:-1])] if len(table) == 4 else [table]
    return any(
        all(
            len(a.split(".")[1]) >= (digits := len(b.split(".")[1]))
            and abs(round(float(a), digits) - float(b)) < 1e-9
            for a, b in zip(turn, told, strict=True)
        )
        for turn in turns
    )


@pytest.mark.parametrize(("sentence", "table"), KINDS, ids=["number", "± t", "bootstrap"])
def test_what_a_sentence_says_was_measured_stands_in_a_table(sentence, table):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.compile("<!-- table .*?<!-- end -->", re.DOTALL)
    tables = numbers(table, block.findall(PAGE + readme))
    summary = readme.split("says claim by claim")[1].split("Where ours differs")[0]
    told = numbers(sentence, [block.sub("", PAGE), summary])
    assert len(told) > 10
    missing = {row for row in told if not any(gives(known, row) for known in tables)}
    assert not {row for row in missing if row[0] not in ELSEWHERE}
