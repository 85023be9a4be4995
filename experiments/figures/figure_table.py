"""A table inside a figure, in the style of the house."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes

from dctc.results.tables import Table

ROW_HEIGHT = 0.19  # inches
FONT_SIZE = 7.5
RULE, PALE = "#444444", "#DDDDDD"


def table_height(table: Table) -> float:
    """Return the inches that the head and the rows of a table take."""
    return ROW_HEIGHT * (len(table.rows) + 1)


def draw_table(axes: Axes, table: Table, widths: Sequence[float]) -> None:
    """Fill axes with the head and the rows of a table, aligned as elsewhere.

    Args:
        axes: Where; nothing else is drawn there.
        table: What to draw.
        widths: Relative widths of the columns.
    """
    axes.set_axis_off()
    left = [sum(widths[:i]) / sum(widths) for i in range(len(table.columns) + 1)]
    height = 1.0 / (len(table.rows) + 1)
    family = mpl.rcParams["font.family"]
    for i, cells in enumerate([table.columns, *table.rows]):
        y = 1.0 - (i + 0.5) * height
        for j, cell in enumerate(cells):
            text = j < table.text_columns
            axes.text(
                left[j] + 0.004 if text else left[j + 1] - 0.004,
                y,
                cell,
                ha="left" if text else "right",
                va="center",
                fontsize=FONT_SIZE,
                fontweight="bold" if i == 0 else "normal",
                fontfamily=family[:1] if i == 0 else family,  # further ones may have no bold
                parse_math=False,
            )
        line = RULE if i in (0, len(table.rows)) else PALE
        axes.axhline(y - height / 2, color=line, linewidth=0.8 if line == RULE else 0.5)
    axes.axhline(1.0, color=RULE, linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
