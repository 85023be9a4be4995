"""Tables as Markdown, on a terminal of 80 columns, and from a registry."""

import pytest
from rich.console import Console

from dctc.results.registry import Registry
from dctc.results.tables import Table, drop_notes, percent, side_by_side

NAMES = ("CTC", "DCTC")
COLUMNS = ["set", "n", *NAMES, "difference", "CTC NED", "DCTC NED", "CTC CER", "DCTC CER"]


def printed(table, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))
    table.print(console)
    return console.export_text().splitlines()


def test_markdown():
    table = Table(
        "CTC and DCTC", ["set", "n"], [["SVT", "647"], ["IC15_2077", "2,077"]], ["a", "b"]
    )
    assert table.markdown() == (
        "### CTC and DCTC\n"
        "\n"
        "| set | n |\n"
        "| --- | ---: |\n"
        "| SVT | 647 |\n"
        "| IC15_2077 | 2,077 |\n"
        "\n"
        "a\n"
        "\n"
        "b\n"
    )


def test_columns_of_text_are_to_the_left():
    rows = [["CTC", "ab", "1"], ["DCTC", "abcdef", "22"]]
    table = Table("Rates", ["net", "set", "n"], rows, text_columns=2)
    assert "| --- | --- | ---: |" in table.markdown()
    lines = printed(table)
    assert [line.index("ab") for line in lines if "ab" in line] == [lines[1].index("set")] * 2


def test_no_cell_is_cut_on_a_terminal_of_80_columns():
    rows = [
        ["IC15_2077", "2,077", "100.00", "100.00", "+12.34 ± 10.23", *["100.00"] * 4],
        ["IIIT5K", "80,551", "9.87", "65.43", "-1.23 ± 0.45", "1.01", "2.02", "3.03", "4.04"],
    ]
    lines = printed(Table("Title", COLUMNS, rows))
    assert max(map(len, lines)) <= 80
    for line, row in zip(lines[4:6], rows, strict=True):
        assert line.split() == " ".join(row).split()
    heading = " ".join(" ".join(lines[1:3]).split())
    assert heading == "CTC DCTC CTC DCTC set n CTC DCTC difference NED NED CER CER"


def test_nothing_is_lost_on_a_narrow_terminal():
    lines = printed(Table("T", ["set", "n"], [["a_very_long_name_of_a_set", "12,345"]]), width=16)
    assert max(map(len, lines)) <= 16
    cells = "".join("".join(lines[3:]).split())
    assert sorted(cells) == sorted("a_very_long_name_of_a_set" + "12,345")


def test_intervals_and_names_stay_whole_where_a_table_is_too_wide():
    rows = [["Confidence penalty", "72.81 [71.94, 73.67]", "+0.94 ± 0.61 [+0.32, +1.54]"]]
    table = Table("T", ["loss", "accuracy", "frame_entropy"], rows)
    assert rows[0][1] in printed(table, width=80)[3]
    first, second = printed(table, width=50)[4:6]
    assert first.split() == ["Confidence", "penalty", "72.81", "+0.94", "±", "0.61"]
    assert second.split() == ["[71.94,", "73.67]", "[+0.32,", "+1.54]"]
    assert [line.split() for line in printed(table, width=50)[1:3]] == [
        ["frame_"],
        ["loss", "accuracy", "entropy"],
    ]
    # the name is wrapped first, as far as its longest word; then what cannot stay whole
    wrapped = printed(table, width=42)
    assert "[71.94, 73.67] [+0.32, +1.54]" in wrapped[5] and max(map(len, wrapped)) <= 42
    narrow, text = "".join(printed(table, width=20)), "".join(rows[0]).replace(" ", "")
    assert all(narrow.count(letter) >= text.count(letter) for letter in text)


def test_columns_that_do_not_fit_go_on_below_beside_the_names():
    interval = "72.81 [71.94, 73.67]"
    columns = ["loss", "accuracy", "NED", "step time", "p"]
    table = Table("T", columns, [["Confidence penalty", interval, interval, "1.25", "0.014"]])
    lines = printed(table, width=44)
    assert max(map(len, lines)) <= 44
    words = [line.split() for line in lines]
    end = words.index([])
    assert words[end - 2 : end] == [
        ["Confidence", "72.81", "72.81"],
        ["penalty", "[71.94,", "73.67]", "[71.94,", "73.67]"],
    ]
    assert words[end + 2] == ["loss", "time", "p"]
    assert words[end + 4] == ["Confidence", "penalty", "1.25", "0.014"]


@pytest.mark.parametrize("width", range(24, 60))
def test_headings_take_no_room_of_names_and_numbers(width):
    columns = ["classes", "frames x batch", "plain two-pass DCTC", "peak memory, DCTC"]
    lines = printed(Table("T", columns, [["18,385", "64 x 32", "2.03", "0.33"]]), width=width)
    assert max(map(len, lines)) <= width
    shown = " ".join(lines)
    assert all(cell in shown for cell in ("18,385", "64 x 32", "2.03", "0.33"))


def test_brackets_are_text_and_not_markup():
    text = "[bold]x[/bold] [/] [a-z]"
    lines = printed(Table(text, ["set", "n"], [[text, "[red]"]], [text]), width=80)
    assert sum(text in line for line in lines) == 3
    assert any("[red]" in line for line in lines)


def test_notes_stand_below_the_table():
    lines = printed(Table("T", ["set", "n"], [["SVT", "1"]], ["first", "second"]))
    assert [line.strip() for line in lines[-4:]] == ["SVT 1", "", "first", "second"]


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 3, "33.33"), (0, 5, "0.00"), (5, 5, "100.00"), (3, 2, "150.00"), (0, 0, "-")],
)
def test_percent(part, whole, text):
    assert percent(part, whole) == text


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path)


@pytest.fixture
def scored(registry, record):
    """``scored(hits, set="SVT", ...) -> {"SVT": Record}`` with the hits in the registry."""

    def score(hits, **changes):
        counts = {"n": len(hits), "correct": sum(hits), "hits": registry.write_hits(hits)}
        one = record(**{"set": "SVT", **counts, **changes})
        return {one.set: one}

    return score


def test_side_by_side(registry, scored):
    first = scored([1, 1, 0, 0], edits=3, characters=12, similarity=3.0, drops={"odd": 2})
    second = scored([1, 1, 1, 0], edits=1, characters=12, similarity=3.5)
    table = side_by_side("T", registry, first, second, NAMES, notes=["mine"])
    assert table.columns == COLUMNS
    # one gain of 1 in four: standard deviation sqrt(3)/4, over sqrt(4)
    difference = "+25.00 ± 42.43"
    assert table.rows == [
        ["SVT", "4", "50.00", "75.00", difference, "75.00", "87.50", "25.00", "8.33"]
    ]
    assert table.notes == ["mine", "SVT: 2 left out (odd)"]


def test_only_sets_of_both_runs_are_compared_in_the_order_of_the_first(registry, scored):
    first = {**scored([1], set="b"), **scored([1], set="only first"), **scored([0], set="a")}
    second = {**scored([1], set="a"), **scored([1], set="only second"), **scored([1], set="b")}
    table = side_by_side("T", registry, first, second, NAMES)
    assert [row[0] for row in table.rows] == ["b", "a"]


def test_a_set_of_which_nothing_was_scored(registry, scored):
    nothing = scored([], edits=0, characters=0, similarity=0.0)
    table = side_by_side("T", registry, nothing, nothing, NAMES)
    assert table.rows == [["SVT", "0", *"-------"]]


@pytest.mark.parametrize(
    "changes", [{"samples": "others"}, {"protocol": "english94"}], ids=["samples", "protocol"]
)
def test_runs_that_were_not_scored_on_the_same_samples(registry, scored, changes):
    first = scored([1, 0])
    second = scored([1, 0], run="other", **changes)
    with pytest.raises(ValueError, match=r"SVT: runs 0123456789abcdef and other .*different samp"):
        side_by_side("T", registry, first, second, NAMES)


def test_drops_are_named_with_their_reason(record):
    drops = {"empty under the protocol": 2, "none": 0, "image cannot be read": 1}
    assert drop_notes({"SVT": record(drops=drops), "SVTP": record()}) == [
        "SVT: 2 left out (empty under the protocol)",
        "SVT: 1 left out (image cannot be read)",
    ]
