"""Figure 2: the scheme of DCTC. Nothing is trained; all scales draw the same."""

from __future__ import annotations

from dctc.cli import one_line_errors
from dctc.studies.runner import Run, parse_options
from dctc.studies.status import status_lines
from experiments.figures.scheme import draw_scheme
from experiments.studies.figure_report import report_figure
from experiments.studies.figure_runs import SCALES


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs: none, at any scale."""
    return {"figure2": []}


def main() -> None:
    """Draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    report_figure("figure2", "small", options.log, draw_scheme())


if __name__ == "__main__":
    with one_line_errors("figure2"):
        main()
