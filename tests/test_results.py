"""The pages of measured results say what the committed evidence says."""

from pathlib import Path

import pytest

from dctc.reporting.registry import Registry
from tiny import run_python

ROOT = Path(__file__).parents[1]
RESULTS = Registry(ROOT / "experiments" / "results")
PAGE = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
RECORDS = list(RESULTS.records())
READER = {record.set: record for record in RECORDS if record.arm == "renderer/reader"}
SIX = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r.arm}-{r.seed}-{r.set}")
def test_hits_add_up_to_the_record(record):
    assert RESULTS.read_hits(record).sum() == record.correct


def test_the_readers_mean_is_that_of_its_records():
    mean = sum(100 * READER[name].correct / READER[name].n for name in SIX) / len(SIX)
    assert f"| reader | mean of six |  | {mean:.2f} |" in PAGE
    assert f"{mean:.1f} %" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_tables_of_the_page_are_those_of_the_evidence():
    done = run_python("experiments/pages.py", "--check")
    assert done.returncode == 0, done.stderr
