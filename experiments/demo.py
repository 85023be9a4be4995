"""The demo: CTC and DCTC from the same seed, weights and batches, on rendered words."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from rich.console import Console

from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_benchmarks
from dctc.data.english import DEFAULT_TEST
from dctc.data.records.root import data_root
from dctc.results.registry import Registry, runs_folder
from dctc.results.tables import side_by_side
from dctc.studies.real_words import Benchmarks
from dctc.studies.runner import Finished, Run, execute, scale_parser
from dctc.training.results_writer import read_readings
from experiments.figures.curves import Panel, draw_curves, read_metrics
from experiments.figures.published import save_figure
from experiments.figures.readings import choose, draw_readings, with_images

ARMS = ("ctc", "dctc")
NAMES = ("CTC", "DCTC")
CONFIG = "experiments/configs/demo.yaml"
PANELS = (
    Panel("train/ctc", "CTC loss", "nats per word", log=True),
    Panel("val/accuracy", "Word accuracy, held-out", "share of words"),
    Panel("train/aacc_label", "aacc_label", "share of words"),
    Panel("train/aacc_true", "aacc_true", "share of frames"),
)

# One step and one batch: proves that everything is there.
TINY = (
    "--data.init_args.epoch_size=4",
    "--data.init_args.val_size=4",
    "--data.init_args.test_size=4",
    "--config=experiments/configs/trainer/tiny.yaml",
)


def plan(arm: str, scale: str, real: bool) -> Run:
    """Return the run of an arm; the arms differ in the weight of the distillation term only."""
    return Run(
        name=f"{folder(scale).name}/{arm}",
        options=(
            f"--config={CONFIG}",
            *(("--config=experiments/configs/loss/ctc.yaml",) if arm == "ctc" else ()),
            *(TINY if scale == "tiny" else ()),
        ),
        tests=(Benchmarks(DEFAULT_TEST),) if real else (),
    )


def folder(scale: str) -> Path:
    """Return where the demo's results go."""
    return runs_folder() / ("demo" if scale == "smoke" else f"demo-{scale}")


def draw_sheet(finished: list[Finished]) -> Figure:
    """Draw right and wrong readings of held-out rendered words."""
    readings = [read_readings(run.folder / "readings" / "rendered.tsv") for run in finished]
    labels = {outcome.key: outcome.label for outcome in readings[0]}
    predictions = [{outcome.key: outcome.prediction for outcome in arm} for arm in readings]
    keys = choose(labels, predictions)
    data = finished[0].data
    data.setup("test")
    shown = with_images(keys, labels, predictions, data.test_dataloader()[0])
    return draw_readings(shown, NAMES, "Held-out rendered words (wrong readings in orange)")


def main() -> None:
    """Train, test and compare the two arms."""
    options = scale_parser(__doc__ or "", ("tiny", "smoke")).parse_args()
    console = Console()
    root = data_root()
    real = root.is_dir() and bool(find_benchmarks(root)[0])
    if not real:
        console.print(
            f"No real benchmark found below {root} (DCTC_DATA); testing on rendered words only. "
            f"The README says how to get them.",
            highlight=False,
        )
    finished = []
    for arm, name in zip(ARMS, NAMES, strict=True):
        console.rule(name)
        finished.append(execute(plan(arm, options.scale, real), options.log))
    out = folder(options.scale)
    ctc, dctc = (run.records for run in finished)
    table = side_by_side(
        "CTC and DCTC, trained on rendered words",
        Registry(runs_folder()),
        ctc,
        dctc,
        NAMES,
        notes=[
            "Word accuracy, NED and CER in percent. Difference: DCTC minus CTC in points, with the "
            "95 % interval over samples; one seed, and other seeds may differ by more.",
        ],
    )
    console.rule("Result")
    table.print(console)
    (out / "table.md").write_text(table.markdown(), encoding="utf-8")
    curves = {name: read_metrics(run.folder) for name, run in zip(NAMES, finished, strict=True)}
    save_figure(draw_curves(curves, PANELS), out / "curves.png")
    save_figure(draw_sheet(finished), out / "readings.png")
    for file in ("table.md", "curves.png", "readings.png"):
        console.print(f"written to {out / file}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("demo"):
        main()
