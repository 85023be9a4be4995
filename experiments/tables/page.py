"""Tables inside of a Markdown page, each between two comments that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping

NOT_YET = "Not measured yet."
_BLOCK = re.compile(r"<!-- table (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def fill(page: str, tables: Mapping[str, str]) -> str:
    """Return a page with its tables put in place.

    A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``.

    Args:
        page: Markdown.
        tables: Markdown by name; of what is not there the page says that it is not measured yet.

    Raises:
        ValueError: If the page has no place for a table.
    """
    places = _BLOCK.findall(page)
    if lost := [name for name in tables if name not in places]:
        raise ValueError(f"no place for table {lost[0]}: add '<!-- table {lost[0]} -->'")
    return _BLOCK.sub(lambda match: _block(match[1], tables.get(match[1], NOT_YET)), page)


def _block(name: str, text: str) -> str:
    return f"<!-- table {name} -->\n{text.strip()}\n<!-- end -->"
