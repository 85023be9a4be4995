"""A table inside a figure, in the style of the house."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

ROW_HEIGHT = 0.24  # inches
FONT_SIZE = 8.5
RULE, PALE = "#444444", "#DDDDDD"


def table_height(rows: int) -> float:
    """Return the inches that a table with a head and so many rows takes."""
    return ROW_HEIGHT * (rows + 1)


def draw_table(
    axes: Axes,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[float] | None = None,
) -> None:
    """Fill axes with a table: the first column to the left, the others to the right.

    Args:
        axes: Where; nothing else is drawn there.
        columns: Head.
        rows: Cells.
        widths: Relative widths of the columns; None is all the same.
    """
    axes.set_axis_off()
    shares = widths or [1.0] * len(columns)
    left = [sum(shares[:i]) / sum(shares) for i in range(len(columns) + 1)]
    height = 1.0 / (len(rows) + 1)
    for i, cells in enumerate([columns, *rows]):
        y = 1.0 - (i + 0.5) * height
        for j, cell in enumerate(cells):
            axes.text(
                left[j] + 0.004 if j == 0 else left[j + 1] - 0.004,
                y,
                cell,
                ha="right" if j else "left",
                va="center",
                fontsize=FONT_SIZE,
                fontweight="bold" if i == 0 else "normal",
                parse_math=False,
            )
        line = RULE if i in (0, len(rows)) else PALE
        axes.axhline(y - height / 2, color=line, linewidth=0.8 if line == RULE else 0.5)
    axes.axhline(1.0, color=RULE, linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
