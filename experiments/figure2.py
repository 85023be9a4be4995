"""Figure 2: the scheme of DCTC. Nothing is trained; all scales draw the same."""

from __future__ import annotations

from dctc.cli import one_line_errors
from dctc.reporting.scheme import draw_scheme
from dctc.training.figure_report import report_figure
from dctc.training.figure_runs import SCALES
from dctc.training.runs import parse_options
from dctc.training.study import print_status


def main() -> None:
    """Draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    if options.status:
        print_status("figure2", [])
        return
    report_figure("figure2", "small", options.log, draw_scheme())


if __name__ == "__main__":
    with one_line_errors("figure2"):
        main()
