"""Table 2: CTC and DCTC on rendered Chinese lines, held-out texts and fonts."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

import pandas as pd

from dctc.results.registry import Registry
from dctc.studies.compare import run_command
from dctc.studies.layouts import Drawn, draw_study
from dctc.studies.study import Study
from experiments.studies import PUBLISHED
from experiments.studies.chinese_lines import chinese_study, missing_fonts
from experiments.tables.alignments import alignment_table
from experiments.tables.quoted import chinese_tables


def draw(planned: Sequence[Study], frame: pd.DataFrame, registry: Registry) -> Drawn:
    """Return the comparison, the alignments, and the published values."""
    (study,) = planned
    tables, figures = draw_study(study, frame, registry)
    if alignment := alignment_table(study, frame, "rendered"):
        tables["alignment"] = alignment
    return tables | {f"published-{k}": table for k, table in chinese_tables().items()}, figures


def main(options: Namespace) -> None:
    """Train what is missing, and compare."""
    study = chinese_study(options.scale)
    if not (options.source or options.status) and (missing := missing_fonts()):
        if options.scale == "small":
            raise ValueError(missing)
        print(f"{missing}; left out")
        return
    run_command("table2", options, [study], draw, PUBLISHED)
