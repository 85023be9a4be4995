"""Ablations of DCTC: weight, estimator of z*, warm-up, mask, data, length, noise, target."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from dctc.results.registry import Registry
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, draw_study
from dctc.studies.study import Study
from dctc.tables import Table
from experiments.studies import PUBLISHED, load, without_missing


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return a table for each factor."""
    tables: dict[str, Table] = {}
    figures: dict[str, Figure] = {}
    for study in planned:
        drawn, plots = draw_study(study, frame, registry)
        named = "" if study.groups else "alignment-"
        tables |= {f"{named}{name}": table for name, table in drawn.items()}
        figures |= {f"{named}{name}": plot for name, plot in plots.items()}
    return tables, figures


def main(options: Namespace) -> None:
    """Train what is missing, and compare."""
    studies = [load(name, options.scale) for name in ("ablations", "true_alignment")]
    planned = studies if options.source or options.status else without_missing(studies)
    run_command("ablations", options, planned, draw, PUBLISHED)
