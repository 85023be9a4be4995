"""The pages of measured results say what the committed evidence says."""

from pathlib import Path

import pytest

from dctc.reporting.registry import Registry
from dctc.reporting.tables import percent

ROOT = Path(__file__).parents[1]
RESULTS = Registry(ROOT / "experiments" / "results")
PAGE = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
RECORDS = list(RESULTS.records())
READER = {record.set: record for record in RECORDS if record.arm == "renderer/reader"}
SIX = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r.arm}-{r.seed}-{r.set}")
def test_hits_add_up_to_the_record(record):
    assert RESULTS.read_hits(record).sum() == record.correct


@pytest.mark.parametrize("name", ("real_train_words", *SIX))
def test_the_readers_rows_are_its_records(name):
    record = READER[name]
    cells = [percent(part, record.n) for part in (record.correct, record.similarity)]
    assert f"| {name} | {record.n:,} | {' | '.join(cells)} |" in PAGE


def test_the_readers_mean_is_that_of_its_records():
    mean = sum(100 * READER[name].correct / READER[name].n for name in SIX) / len(SIX)
    assert f"| mean of six | | {mean:.2f} | |" in PAGE
    assert f"{mean:.1f} %" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_first_run_of_the_comparison_is_quoted_right():
    (record,) = [r for r in RECORDS if (r.arm, r.seed) == ("table3/ctc", 100)]
    quoted = f"{percent(record.correct, record.n)} % of the {record.n:,} validation words"
    assert quoted in PAGE
