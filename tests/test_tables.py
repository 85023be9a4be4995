"""Tables on a terminal, as Markdown and as CSV."""

import csv
import io
from collections import Counter

import pytest
from rich.console import Console

from dctc.tables import Table, percent

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
    text = Counter("".join(lines)) - Counter("─" * 1000 + " " * 1000)
    rows = [WIDE.columns, *WIDE.rows]
    cells = [WIDE.title, *(cell for row in rows for cell in row), *WIDE.notes]
    wanted = Counter("".join(cells)) - Counter(" " * 100)
    assert not wanted - text
    # columns that find no room stand below, beside the first one again
    assert (text - wanted).keys() <= {*"".join(row[0] for row in rows)}


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


def test_a_share_of_nothing_is_a_dash():
    assert (percent(1, 3), percent(0, 0)) == ("33.33", "-")


def test_columns_of_words_beyond_the_first_are_to_the_left():
    table = Table("", ["set", "n", "state"], [["a", "1", "sound"], ["b", "22", "a broken one"]])
    _, head, _, *rows = printed(table, 80)
    begins = [row.index(cell) for row, cell in zip(rows, ("sound", "a broken"), strict=True)]
    assert begins == [head.index("state")] * 2
