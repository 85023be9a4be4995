"""Published values: what the files say adds up, and is drawn digit by digit."""

import pytest
import yaml
from experiments.tables import quoted
from experiments.tables.quoted import chinese_tables, english_table

FIVE = ("IIIT5K", "SVT", "IC13_857", "SVTP", "CUTE80")


def test_published_english_rows_add_up():
    table = english_table(FIVE)
    assert table.columns[2:4] == ["IIIT5K 3,000", "SVT 647"] and len(table.columns) == 10
    for row in table.rows:
        six = [float(value) for value in row[2:8]]
        assert sum(six) / 6 == pytest.approx(float(row[8]), abs=0.0051), row[0]
        # IC15 is the fourth
        assert (sum(six) - six[3]) / 5 == pytest.approx(float(row[9]), abs=0.0051), row[0]
        assert any(row[0] in note for note in table.notes)  # with its source


def test_published_chinese_tables():
    tables = chinese_tables()
    assert list(tables) == ["losses", "baselines"]
    for table in tables.values():
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
        assert {row[1] for row in table.rows} <= {note.split(":")[0] for note in table.notes}


def test_a_row_with_a_value_too_few_is_refused(tmp_path, monkeypatch):
    for name in ("english", "chinese"):
        content = yaml.safe_load((quoted.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
        row = content["rows" if name == "english" else "losses"][0]
        values = "accuracy" if name == "english" else "values"
        row[values] = row[values].rsplit(" ", 1)[0]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(quoted, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"published row .*: 5 of 6 values"):
        english_table(FIVE)
    with pytest.raises(ValueError, match=r"published row .*: \d of \d values"):
        chinese_tables()
