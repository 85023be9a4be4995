"""Figure 2: the scheme of DCTC. Nothing is trained; all scales draw the same."""

from __future__ import annotations

from argparse import Namespace

from experiments.figures.scheme import draw_scheme
from experiments.studies import figure_runs as runs


def main(options: Namespace) -> None:
    """Draw."""
    runs.check("figure2", options, lambda scale: [])
    runs.report_figure("figure2", "small", options.log, draw_scheme())
