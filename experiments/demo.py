"""Demo: CTC and DCTC from the same seed, weights and batches, on rendered words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from dctc.cli import one_line_errors
from dctc.data.records.folders import data_root
from dctc.results.plots import save_figure
from dctc.results.predictions import read_readings
from dctc.results.registry import Registry, runs_folder
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, differences_table
from dctc.studies.parallel import finish_all
from dctc.studies.runner import Finished
from dctc.studies.study import Study
from experiments.figures.curves import Panel, draw_curves, read_metrics
from experiments.figures.readings import choose, draw_readings, with_images
from experiments.parsers import parser_of
from experiments.studies import load

PANELS = (
    Panel("train/ctc", "CTC loss", "nats per word", log=True),
    Panel("val/accuracy", "Word accuracy, held-out", "share of words"),
    Panel("train/aacc_label", "aacc_label", "share of words"),
    Panel("train/aacc_true", "aacc_true", "share of frames"),
)


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the comparison on each set; of one run of each, intervals allow for words only."""
    (study,) = planned
    runs = frame[frame.arm.isin([study.arm_name(key) for key in study.arms])]
    tested = set(runs[runs.arm == study.arm_name("ctc")].set)
    sets = [name for name in study.benchmarks.names if name in tested] if study.benchmarks else []
    table = differences_table(study, frame, registry, "dctc", ["rendered", *sets])
    if table is None:
        return {}, {}
    if not runs.duplicated(["arm", "set"]).any():
        note = "Percent. One run of each loss: intervals allow for test words, not for other seeds"
        table = replace(table, notes=[f"{note}; differences of NED have none."])
    return {"table": table}, {}


def draw_sheet(finished: Sequence[Finished], names: Sequence[str]) -> Figure:
    """Draw right and wrong readings of held-out rendered words."""
    readings = [read_readings(run.folder / "readings" / "rendered.tsv") for run in finished]
    labels = {outcome.key: outcome.label for outcome in readings[0]}
    predictions = [{outcome.key: outcome.prediction for outcome in arm} for arm in readings]
    keys = choose(labels, predictions)
    data = finished[0].data
    data.setup("test")
    shown = with_images(keys, labels, predictions, data.test_dataloader()[0])
    return draw_readings(shown, names, "Held-out rendered words (wrong readings in orange)")


def main() -> None:
    """Train, test and compare the two arms."""
    options = parser_of("demo").parse_args()
    options.scale = "small" if options.scale == "smoke" else options.scale  # the whole study
    study = load("demo", options.scale)
    if study.benchmarks and not study.benchmarks.present():
        print(
            f"No real benchmark found below {data_root()} (DCTC_DATA); testing on rendered words "
            f"only. The README says how to get them."
        )
    run_command("demo", options, [study], draw)
    if options.status or options.source or options.only or options.seeds:
        return  # the pictures show seed 0 of both arms
    finished = finish_all(study.runs(), options.jobs, options.log)
    out = runs_folder() / study.name
    names = [arm.title for arm in study.arms.values()]
    curves = {name: read_metrics(run.folder) for name, run in zip(names, finished, strict=True)}
    save_figure(draw_curves(curves, PANELS), out / "curves.png")
    save_figure(draw_sheet(finished, names), out / "readings.png")
    print(f"written to {out}: curves.png, readings.png")


if __name__ == "__main__":
    with one_line_errors("demo"):
        main()
