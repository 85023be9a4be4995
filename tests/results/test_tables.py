"""Tables on a terminal, as Markdown and as CSV."""

import csv
import io

import pandas as pd
import pytest
from rich.console import Console

from dctc.results.tables import Table, drop_notes, percent

WIDE = Table(
    "CTC and DCTC",
    ["set", "n", "CTC", "DCTC", "difference [95 % CI]", "p", "CTC NED", "DCTC NED"],
    [
        ["IC15_2077", "2,077", "83.72", "84.56", "+12.34 [-10.23,+24.91]", "<.001", "9.1", "100.0"],
        ["[a|b]", "5", "1.00", "2.00", "+1.00", "", "3.0", "4.0"],
    ],
    ["A first note.", "[b]A second[/b]."],
)


def printed(table, width):
    console = Console(width=width, file=io.StringIO())
    table.print(console)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_lost_on_a_terminal(width):
    lines = printed(WIDE, width)
    assert max(map(len, lines)) <= width
    text = "".join("".join(lines).replace("─", "").split())
    cells = [WIDE.title, *WIDE.columns, *(cell for row in WIDE.rows for cell in row), *WIDE.notes]
    assert sorted(text) == sorted("".join("".join(cells).split()))


def test_on_a_wide_terminal_a_row_is_a_line():
    lines = printed(WIDE, 200)
    assert lines[0] == WIDE.title and lines[-2:] == WIDE.notes
    assert lines[3].split() == " ".join(WIDE.rows[0]).split()


def test_columns_of_text_are_to_the_left_and_numbers_to_the_right():
    table = Table("Rates", ["net", "set", "n"], [["CTC", "ab", "1"], ["D", "abcd", "22"]], (), 2)
    _, head, _, first, second = printed(table, 80)
    assert first.index("ab") == second.index("abcd") == head.index("set")
    assert first.rstrip()[-2:] == " 1" and second.rstrip()[-2:] == "22"
    assert "| --- | --- | ---: |" in table.markdown()


def test_files(tmp_path):
    table = Table("T", ["set", "n"], [["SVT", "647"], ["a, b", "2,077"]], ["One.", "Two."])
    files = table.write(tmp_path / "deep", "t")
    assert [file.name for file in files] == ["t.md", "t.csv"]
    text = "| set | n |\n| --- | ---: |\n| SVT | 647 |\n| a, b | 2,077 |\n"
    assert files[0].read_text() == f"### T\n\n{text}\nOne.\n\nTwo.\n"
    assert [*csv.reader(files[1].read_text().splitlines())] == [table.columns, *table.rows]


def test_a_bar_in_a_cell_does_not_break_markdown():
    cells = WIDE.markdown().splitlines()[5].replace("\\|", "").count("|")
    assert cells == len(WIDE.columns) + 1


def test_shares_and_what_was_left_out():
    assert (percent(1, 3), percent(0, 0)) == ("33.33", "-")
    frame = pd.DataFrame({"set": ["a", "b", "b"], "drops": [{}, {"x": 1200, "y": 0}, {"x": 1200}]})
    assert drop_notes(frame) == ["b: 1,200 samples left out (x)."]
