"""Figure 3: the AACC of each estimator of z* during training, with CTC and with DCTC."""

from __future__ import annotations

from rich.console import Console

from dctc.cli import one_line_errors
from dctc.reporting.alignment_curves import curve_arrays, draw_alignment_curves, last_values
from dctc.reporting.figures import read_metrics
from dctc.reporting.published import save_arrays, save_figure
from dctc.reporting.registry import runs_folder
from dctc.training.runs import Run, execute, parse_options

CONFIG = "experiments/configs/figures.yaml"
ARMS = {"CTC": ("--trainer.callbacks.init_args.distill_weight=0.0",), "DCTC": ()}
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


def plan(name: str, seed: int, scale: str) -> Run:
    """Return a training; figures 1 and 4 use the same."""
    arm = name.lower()
    return Run(
        name=f"figures-{scale}/{arm}-seed{seed}",
        options=(
            f"--config={CONFIG}",
            *ARMS[name],
            *SCALES[scale],
            f"--seed_everything={seed}",
            f"--arm=figures-{scale}/{arm}",
        ),
    )


def main() -> None:
    """Train, gather the curves, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    console = Console()
    curves = {}
    for name in ARMS:
        console.rule(name)
        runs = [plan(name, seed, options.scale) for seed in range(SEEDS[options.scale])]
        finished = [execute(run, options.log) for run in runs]
        curves[name] = [read_metrics(run.folder) for run in finished]
    arrays = curve_arrays(curves)
    out = runs_folder() / ("figure3" if options.scale == "small" else f"figure3-{options.scale}")
    files = save_figure(draw_alignment_curves(arrays), out / "figure3")
    files.append(save_arrays(arrays, out / "figure3.npz"))
    table = last_values(arrays)
    table.print(console)
    (out / "table.md").write_text(table.markdown(), encoding="utf-8")
    for file in [*files, out / "table.md"]:
        console.print(f"written to {file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("figure3"):
        main()
