"""Figure 4: features of characters that are read for one another, with CTC and with DCTC."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from dctc.cli import one_line_errors
from dctc.metrics.confusion import confused_groups, substitutions
from dctc.reporting.clusters import cluster_arrays
from dctc.reporting.clusters_figure import cohesion_table, draw_clusters
from dctc.reporting.published import save_arrays, save_figure
from dctc.reporting.registry import runs_folder
from dctc.training.cli import FINAL
from dctc.training.nets import Loaded, load_net
from dctc.training.parallel import finish_all
from dctc.training.results import read_readings
from dctc.training.runs import Finished, Run, parse_options
from dctc.training.status import status_lines
from dctc.training.study import Arm, Study
from dctc.training.upload import upload

CONFIG = "experiments/configs/figures.yaml"
ARMS = (
    Arm("ctc", "CTC", ("--trainer.callbacks.init_args.distill_weight=0.0",)),
    Arm("dctc", "DCTC"),
)
DATA = "--data.init_args"
SCALES = {
    "tiny": (
        f"{DATA}.epoch_size=4",
        f"{DATA}.val_size=4",
        f"{DATA}.test_size=96",
        "--config=experiments/configs/trainer/tiny.yaml",
    ),
    "smoke": (
        f"{DATA}.batch_size=16",
        f"{DATA}.test_size=1000",
        "--trainer.max_steps=1000",
        "--trainer.val_check_interval=500",
    ),
    "small": (),
}
SEEDS = {"tiny": 1, "smoke": 1, "small": 3}
GROUPS = 4
TINY_GROUPS = ["ao", "il"]  # a net of one step confuses nothing in particular
LIMIT = 100  # occurrences of a character


def study(scale: str) -> Study:
    """Return the trainings; figures 1 and 3 use the same."""
    options = (f"--config={CONFIG}", *SCALES[scale])
    return Study(f"figures-{scale}", ARMS, tuple(range(SEEDS[scale])), options)


def load(run: Finished) -> Loaded:
    """Load the net of a run."""
    return load_net(run.folder / "config.yaml", run.folder / "checkpoints" / FINAL)


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
    console = Console()
    plan = study(options.scale)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    trained = finish_all(plan.runs(), options.jobs, options.log)
    finished = [trained[i :: len(ARMS)] for i in range(len(ARMS))]  # by arm, then by seed
    chosen = TINY_GROUPS if options.scale == "tiny" else groups(trained)
    loaded = [[load(run) for run in arm] for arm in finished]
    data = finished[0][0].data
    data.setup("test")
    words = list(data.test_dataloader()[0])  # type: ignore[index]
    nets = [[one.net for one in arm] for arm in loaded]
    arrays = cluster_arrays(nets, loaded[0][0].tokenizer, words, chosen, LIMIT)
    arrays["arms"] = np.array([arm.title for arm in ARMS])

    out = runs_folder() / ("figure4" if options.scale == "small" else f"figure4-{options.scale}")
    files = save_figure(draw_clusters(arrays), out / "figure4")
    files.append(save_arrays(arrays, out / "figure4.npz"))
    table = cohesion_table(arrays)
    table.print(console)
    files += table.write(out, "table")
    upload(out.name, options.log, {"table": table}, files)
    for file in files:
        console.print(f"written to {file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("figure4"):
        main()
