"""Figure 4: features of characters that are read for one another, with CTC and with DCTC."""

from __future__ import annotations

import numpy as np

from dctc.cli import one_line_errors
from dctc.metrics.confusion import confused_groups, substitutions
from dctc.reporting.clusters import cluster_arrays
from dctc.reporting.clusters_figure import cohesion_table, draw_clusters
from dctc.training.figure_report import report_figure
from dctc.training.figure_runs import SCALES, by_arm, load, study
from dctc.training.parallel import finish_all
from dctc.training.results import read_readings
from dctc.training.runs import Finished, Run, parse_options
from dctc.training.status import status_lines

GROUPS = 4
TINY_GROUPS = ["ao", "il"]  # a net of one step confuses nothing in particular
LIMIT = 100  # occurrences of a character


def groups(finished: list[Finished]) -> list[str]:
    """Return the characters that all runs together confuse most on their test words."""
    readings = [
        (outcome.label, outcome.prediction)
        for run in finished
        for outcome in read_readings(run.folder / "readings" / "rendered.tsv")
    ]
    found = confused_groups(substitutions(readings), GROUPS)
    if not found:
        raise ValueError("figure4: no character was read for another, so there are no clusters")
    return found


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs."""
    return {"figure4": study(scale).runs()}


def main() -> None:
    """Train, find the clusters, measure them, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    plan = study(options.scale)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    finished = finish_all(plan.runs(), options.jobs, options.log)
    chosen = TINY_GROUPS if options.scale == "tiny" else groups(finished)
    loaded = [[load(run) for run in runs] for runs in by_arm(finished, len(plan.arms))]
    data = finished[0].data
    data.setup("test")
    words = list(data.test_dataloader()[0])  # type: ignore[index]
    nets = [[one.net for one in arm] for arm in loaded]
    arrays = cluster_arrays(nets, loaded[0][0].tokenizer, words, chosen, LIMIT)
    arrays["arms"] = np.array([arm.title for arm in plan.arms])
    figure, table = draw_clusters(arrays), cohesion_table(arrays)
    report_figure("figure4", options.scale, options.log, figure, arrays, table)


if __name__ == "__main__":
    with one_line_errors("figure4"):
        main()
