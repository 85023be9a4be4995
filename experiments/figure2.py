"""Figure 2: the scheme of DCTC. Nothing is trained; all scales draw the same."""

from __future__ import annotations

from dctc.cli import one_line_errors
from experiments.figures.scheme import draw_scheme
from experiments.studies import figure_runs as runs


def main() -> None:
    """Draw."""
    options = runs.parse("figure2", lambda scale: [])
    runs.report_figure("figure2", "small", options.log, draw_scheme())


if __name__ == "__main__":
    with one_line_errors("figure2"):
        main()
