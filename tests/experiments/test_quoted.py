"""Published values: what the file says adds up, and is drawn digit by digit."""

from pathlib import Path

import pytest
from experiments.tables.quoted import quoted_table, read_quoted

ENGLISH = Path(__file__).parents[2] / "experiments" / "paper" / "english.yaml"
FIVE = ("IIIT5K", "SVT", "IC13_857", "SVTP", "CUTE80")


def test_published_means_are_those_of_the_published_rows():
    sets, rows = read_quoted(ENGLISH)
    assert list(sets.values()) == [3000, 647, 857, 1811, 645, 288]
    for row in rows:
        assert row.mean_of(list(sets)) == pytest.approx(float(row.mean), abs=0.0051), row.model
        assert row.mark == "Q" and row.source


def test_the_five_set_mean_leaves_ic15_out():
    _, rows = read_quoted(ENGLISH)
    (large,) = [row for row in rows if (row.model, row.loss) == ("SVTR-L", "DCTC")]
    assert large.mean_of(FIVE) == pytest.approx((96.9 + 93.7 + 97.4 + 88.5 + 92.3) / 5)


FILE = """
sets: {A: 1000, B: 20}
rows:
  - {model: Net, loss: CTC, mark: Q, source: a page, accuracy: "70.0 81", mean: "75.5"}
  - {model: Net, loss: DCTC, mark: Q, source: a page, accuracy: "71.25 82", mean: "76.6"}
"""


def test_the_table_names_marks_and_sources(tmp_path):
    (tmp_path / "x.yaml").write_text(FILE)
    sets, rows = read_quoted(tmp_path / "x.yaml")
    table = quoted_table("T", sets, rows, "mean", ("A alone", ["A"]), ["The end."])
    assert table.columns == ["published", "mark", "A 1,000", "B 20", "mean", "A alone"]
    assert table.rows == [
        ["Net, CTC", "Q", "70.0", "81", "75.5", "70.00"],
        ["Net, DCTC", "Q", "71.25", "82", "76.6", "71.25"],
    ]
    assert "a page: Net, CTC; Net, DCTC." in table.notes
    assert any("A alone (A) is computed" in note for note in table.notes)
    assert table.notes[-1] == "The end."


def test_a_row_with_an_accuracy_too_few_is_refused(tmp_path):
    (tmp_path / "x.yaml").write_text(FILE.replace("70.0 81", "70.0"))
    with pytest.raises(ValueError, match=r"x.yaml: Net, CTC has 1 accuracies for the 2 sets"):
        read_quoted(tmp_path / "x.yaml")
