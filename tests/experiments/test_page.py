import pytest
from experiments.tables.page import fill

PAGE = """# Results

<!-- table a/b -->
old | table
<!-- end -->
Text.
<!-- table c -->
<!-- end -->
"""


def test_tables_replace_what_stood_in_their_places():
    page = fill(PAGE, {"a/b": "| new\\1 |\n"})
    assert page == PAGE.replace("old | table", "| new\\1 |").replace(
        "<!-- table c -->", "<!-- table c -->\nNot measured yet."
    )
    assert fill(page, {"a/b": "| new\\1 |"}) == page


def test_a_table_without_a_place_is_no_silent_loss():
    with pytest.raises(ValueError, match="no place for table d"):
        fill(PAGE, {"d": "x"})
