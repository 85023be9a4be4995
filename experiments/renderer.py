"""Readers trained on rendered words alone, scored on real words."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import pandas as pd

from dctc.results.frame import per_run
from dctc.results.registry import Registry
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn
from dctc.studies.study import Study
from dctc.tables import Table
from experiments.studies import PUBLISHED, load

NOTES = {
    "renderer": "0.6 M parameters, 128,000 images, one seed; 'rendered' is each recipe's own set.",
    "reader": "0.9 M parameters, plain CTC, 768,000 rendered words of version 1 of the renderer, "
    "one seed. real_train_words, the training words of IIIT5K, IC13, IC15 and SVT, are validation "
    "data.",
}


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return accuracy and NED on each set."""
    tables = {}
    for study in planned:
        rows = []
        for key, arm in study.arms.items():
            name = study.arm_name(key)
            for row in frame[frame.arm == name].sort_values("n").itertuples():
                cells = [row.set, f"{row.n:,}", f"{row.accuracy:.2f}", f"{row.ned:.2f}"]
                rows.append([arm.title, *cells])
            if len(study.sets) > 1 and len(mean := per_run(frame, name, study.sets)):
                ned = per_run(frame, name, study.sets, "ned").mean()
                rows.append([arm.title, study.mean, "", f"{mean.mean():.2f}", f"{ned:.2f}"])
        key = study.file.stem
        if rows:
            columns = ["trained on", "set", "n", "accuracy", "NED"]
            tables[key] = Table(study.title, columns, rows, [NOTES[key]], text_columns=2)
    return tables, {}


def main(options: Namespace) -> None:
    """Train what is missing, and score."""
    studies = [load(name, options.scale) for name in ("renderer", "reader")]
    run_command("renderer", options, studies, draw, PUBLISHED)
