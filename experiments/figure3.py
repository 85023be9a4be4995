"""Figure 3: the AACC of each estimator of z* during training, with CTC and with DCTC."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from dctc.cli import one_line_errors
from dctc.reporting.alignment_curves import curve_arrays, draw_alignment_curves, last_values
from dctc.reporting.figures import read_metrics
from dctc.reporting.published import save_arrays, save_figure
from dctc.reporting.registry import runs_folder
from dctc.training.parallel import finish_all
from dctc.training.runs import Run, parse_options
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


def study(scale: str) -> Study:
    """Return the trainings; figures 1 and 4 use the same."""
    options = (f"--config={CONFIG}", *SCALES[scale])
    return Study(f"figures-{scale}", ARMS, tuple(range(SEEDS[scale])), options)


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs."""
    return {"figure3": study(scale).runs()}


def main() -> None:
    """Train, gather the curves, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    console = Console()
    plan = study(options.scale)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    finished = iter(finish_all(plan.runs(), options.jobs, options.log))
    curves: dict[str, list[Any]] = {arm.title: [] for arm in ARMS}
    for _ in plan.seeds:
        for arm in ARMS:
            curves[arm.title].append(read_metrics(next(finished).folder))
    arrays = curve_arrays(curves)
    out = runs_folder() / ("figure3" if options.scale == "small" else f"figure3-{options.scale}")
    files = save_figure(draw_alignment_curves(arrays), out / "figure3")
    files.append(save_arrays(arrays, out / "figure3.npz"))
    table = last_values(arrays)
    table.print(console)
    files += table.write(out, "table")
    upload(out.name, options.log, {"table": table}, files)
    for file in files:
        console.print(f"written to {file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("figure3"):
        main()
