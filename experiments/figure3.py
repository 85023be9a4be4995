"""Figure 3: the AACC of each estimator of z* during training, with CTC and with DCTC."""

from __future__ import annotations

from dctc.cli import one_line_errors
from dctc.studies.parallel import finish_all
from dctc.studies.runner import Run, parse_options
from dctc.studies.status import status_lines
from experiments.figures.alignment_curves import curve_arrays, draw_alignment_curves, last_values
from experiments.figures.figures import read_metrics
from experiments.studies.figure_report import report_figure
from experiments.studies.figure_runs import SCALES, by_arm, study


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs."""
    return {"figure3": study(scale).runs()}


def main() -> None:
    """Train, gather the curves, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    plan = study(options.scale)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    finished = by_arm(finish_all(plan.runs(), options.jobs, options.log), len(plan.arms))
    curves = {
        arm.title: [read_metrics(run.folder) for run in runs]
        for arm, runs in zip(plan.arms, finished, strict=True)
    }
    arrays = curve_arrays(curves)
    figure, table = draw_alignment_curves(arrays), last_values(arrays)
    report_figure("figure3", options.scale, options.log, figure, arrays, table)


if __name__ == "__main__":
    with one_line_errors("figure3"):
        main()
