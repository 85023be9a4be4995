"""Table 1: CTC and DCTC on English scene words, SROIE lines and FUNSD words."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from dctc.results.registry import Registry
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, comparison_table, differences_table, draw_study, sets_table
from dctc.studies.study import Study
from dctc.studies.summary import summarize
from dctc.tables import Table
from experiments.studies import FINETUNED, PUBLISHED, load, table1_studies, without_missing
from experiments.tables.families_table import draw_families
from experiments.tables.finetuning import STUDY, draw_finetuning
from experiments.tables.quoted import english_table

FIVE = ("IIIT5K", "SVT", "IC13_857", "SVTP", "CUTE80")
KEY = "small_resnet-dctc"


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return accuracy by set, differences to CTC, families of nets, and the published values."""
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    scale = planned[0].scale
    finetuned = [study for study in planned if study.name == STUDY]
    if len(finetuned) == len(FINETUNED):
        tables, figures = draw_finetuning(finetuned, frame, registry)
    for study in planned:
        if study in finetuned:
            continue
        if study.blind:
            drawn, plots = draw_families(study, frame, registry)
            tables |= drawn
            figures |= plots
        elif len(study.sets) > 1:
            means = {study.mean: study.sets, "five-set mean": FIVE}
            title = "Table 1, English: word accuracy"
            found = {
                "table1": sets_table(study, frame, means, title, ["rendered"]),
                "differences": differences_table(study, frame, registry, KEY, ["rendered"]),
            }
            tables |= {name: table for name, table in found.items() if table is not None}
        else:
            drawn, plots = draw_study(study, frame, registry)
            tables |= {f"{study.name}-{name}": table for name, table in drawn.items()}
            figures |= {f"{study.name}-{name}": plot for name, plot in plots.items()}
    losses = load("losses", scale)
    pair = summarize(losses, frame, registry, ["ctc", "dctc"])
    if len(pair) == 2:
        title = f"FUNSD words, runs of table 3: {losses.sets[0]}"
        tables["funsd"] = comparison_table(losses, pair, frame, title)
    tables["published"] = english_table(FIVE)
    return tables, figures


def main(options: Namespace) -> None:
    """Train what is missing, and compare."""
    studies = [load(name, options.scale) for name in table1_studies(options.scale)]
    planned = studies if options.source or options.status else without_missing(studies)
    run_command("table1", options, planned, draw, PUBLISHED)
