"""Demo: CTC and DCTC from the same seed, weights and batches, on rendered words."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import pandas as pd
from PIL import Image

from dctc.data.archives.sheet import Cell, draw_sheet, save_sheet
from dctc.data.records.batch import pixels_of
from dctc.data.records.folders import data_root
from dctc.data.records.images import as_png
from dctc.results.plots import save_figure
from dctc.results.predictions import read_readings
from dctc.results.registry import Registry, runs_folder
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, differences_table
from dctc.studies.runner import Finished, execute
from dctc.studies.study import Study
from experiments.figures.curves import Panel, draw_curves, read_metrics
from experiments.studies import figure_runs, load

PANELS = (
    Panel("train/ctc", "CTC loss", "nats per word", log=True),
    Panel("val/accuracy", "Word accuracy, held-out", "share of words"),
    Panel("train/aacc_label", "z* collapses to the label", "share of words"),
    Panel("train/aacc_true", "z* is the true alignment", "share of frames"),
)


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the comparison on each set; of one run of each, intervals allow for words only."""
    (study,) = planned
    runs = frame[frame.arm.isin([study.arm_name(key) for key in study.arms])]
    sets = study.benchmarks.names if study.benchmarks else ()
    table = differences_table(study, frame, registry, "dctc", ["rendered", *sets])
    if table is None:
        return {}, {}
    if not runs.duplicated(["arm", "set"]).any():
        note = "Percent. One run of each loss: intervals allow for test words, not for other seeds"
        table = replace(table, notes=[f"{note}; differences of NED have none."])
    return {"table": table}, {}


# Words on the sheet: (CTC is right, DCTC is right) -> number
KINDS = {(True, True): 4, (False, True): 6, (True, False): 6, (False, False): 4}


def cells_of(finished: Sequence[Finished]) -> list[Cell]:
    """Return held-out words with their label and what both arms read: the first of each kind."""
    files = [run.folder / "readings" / "rendered.tsv" for run in finished]
    arms = [{one.key: one for one in read_readings(file)} for file in files]
    chosen: list[str] = []
    for kind, count in KINDS.items():
        alike = (
            key
            for key, one in arms[0].items()
            if tuple(arm[key].prediction == one.label for arm in arms) == kind
        )
        chosen += islice(alike, count)
    cells: dict[str, Cell] = {}
    for batch in figure_runs.test_batches(finished[0].data):
        for key, pixels in zip(batch.key, pixels_of(batch.image), strict=True):
            if key in chosen:
                read = " / ".join(arm[key].prediction or "(nothing)" for arm in arms)
                text = f"{arms[0][key].label}: {read}"
                cells[key] = Cell(
                    as_png(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)),
                    text,
                )
        if len(cells) == len(chosen):
            break
    return [cells[key] for key in chosen]


def main(options: Namespace) -> None:
    """Train, test and compare the two arms."""
    # ./reproduce.sh demo has the scale smoke, its default; the study itself is called small
    options.scale = "small" if options.scale == "smoke" else options.scale
    study = load("demo", options.scale)
    if study.benchmarks and not study.benchmarks.present():
        print(
            f"No real benchmark found below {data_root()} (DCTC_DATA); testing on rendered words "
            f"only. The README says how to get them."
        )
    run_command("demo", options, [study], draw)
    if options.status or options.source or options.only or options.seeds:
        return  # the pictures show seed 0 of both arms
    finished = [execute(run, options.log) for run in study.runs()]  # nothing is left to train
    out = runs_folder() / study.name
    names = [arm.title for arm in study.arms.values()]
    curves = {name: read_metrics(run.folder) for name, run in zip(names, finished, strict=True)}
    save_figure(draw_curves(curves, PANELS), out / "curves.png")
    save_sheet(*draw_sheet(cells_of(finished), columns=3), out / "readings.png")
    print(f"written to {out}: curves.png; readings.png (label: {' / '.join(names)})")
