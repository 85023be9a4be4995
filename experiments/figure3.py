"""Figure 3: the AACC of each estimator of z* during training, with CTC and with DCTC."""

from __future__ import annotations

from argparse import Namespace

from experiments.figures.alignment_curves import curve_arrays, draw_alignment_curves, last_values
from experiments.figures.curves import read_metrics
from experiments.studies import figure_runs as runs


def main(options: Namespace) -> None:
    """Train, gather the curves, draw."""
    runs.check("figure3", options, lambda scale: [runs.study(scale)])
    plan = runs.study(options.scale)
    finished = zip(plan.arms.values(), runs.finish(plan, options), strict=True)
    arrays = curve_arrays(
        {arm.title: [read_metrics(run.folder) for run in seeds] for arm, seeds in finished}
    )
    figure, table = draw_alignment_curves(arrays), last_values(arrays)
    runs.report_figure("figure3", options.scale, options.log, figure, arrays, table)
