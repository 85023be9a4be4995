"""Table 3: losses on FUNSD words, each at its best value; the best of them on scene words."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from dctc.bench.losses import losses_table
from dctc.results.registry import Registry
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, comparison_table, draw_study
from dctc.studies.study import Study
from dctc.studies.summary import summarize
from experiments.studies import PUBLISHED, check_data, load
from experiments.tables.alignments import (
    alignment_table,
    curves_plot,
    curves_table,
    validation_curves,
)

RIVALS = "Differences to DCTC, not to CTC; CR-CTC and its control train on augmented images."


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the comparison with CTC, that with DCTC, costs, alignments, curves and scene words."""
    losses, *others = planned
    tables, figures = draw_study(losses, frame, registry)
    rivals = [key for key in losses.arms if key not in ("ctc", "cr_ctc", "ctc_augmented")]
    against = dict.fromkeys(rivals, "dctc") | {"dctc": ""}
    unplanned = replace(losses, planned=())  # in which DCTC is the reference
    found = summarize(unplanned, frame, registry, rivals, (), against)
    if len(found) > 1 and "dctc" in found.index:
        title = f"{losses.title}: against DCTC"
        tables["rivals"] = comparison_table(unplanned, found, frame, title, [*losses.notes, RIVALS])
    costs = registry.folder / "bench" / "losses.json"
    if costs.exists():
        titles = {key: arm.title for key, arm in losses.arms.items()}
        tables["costs"] = losses_table(json.loads(costs.read_text(encoding="utf-8")), titles)
    if alignment := alignment_table(losses, frame, losses.validation):
        tables["alignment"] = alignment
    curves = validation_curves(losses, frame, registry.folder, ("ctc", "dctc"), losses.sets[0])
    if table := curves_table(curves, f"{losses.title}: validation accuracy during training"):
        tables["curves"] = table
        figures["curves"] = curves_plot(curves, losses.title)
    for study in others:
        more, plots = draw_study(study, frame, registry)
        tables |= {f"english-{name}": table for name, table in more.items()}
        figures |= {f"english-{name}": plot for name, plot in plots.items()}
    return tables, figures


def main(options: Namespace) -> None:
    """Search, train the final runs, and compare."""
    studies = [load(name, options.scale) for name in ("losses", "losses_english")]
    trained = studies[1:] if options.english else studies[:1]
    if not (options.source or options.status):
        check_data(trained[0])
    run_command("table3", options, studies, draw, PUBLISHED, trained)
