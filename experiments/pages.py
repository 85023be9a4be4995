"""Write experiments/results/TABLES.md and the plots of the results page, or check the tables."""

from __future__ import annotations

import json
import os
import tempfile
from argparse import Namespace
from dataclasses import replace
from typing import Any

from matplotlib.figure import Figure

from dctc.bench.boxes import boxes_table
from dctc.bench.loss import loss_table
from dctc.bench.models import models_table
from dctc.bench.peers import peers_plot, peers_table
from dctc.files import write_whole
from dctc.results.frame import read_frame
from dctc.results.plots import save_figure
from dctc.results.registry import Registry
from dctc.studies.compare import without_open
from dctc.tables import Table
from experiments import ablations, renderer, table1, table2, table3
from experiments.figures.published import TABLES as NUMBERS
from experiments.figures.published import number_table
from experiments.studies import PUBLISHED, load, table1_studies
from experiments.studies.chinese_lines import chinese_study
from experiments.tables.verdict import errors_table, forest_plot, headline_table

TABLES = PUBLISHED / "TABLES.md"
BLIND = ("protocol", "finetune")  # studies of PROTOCOL.md, with which the names of plots begin
PLOTS = PUBLISHED / "figures"
HEADINGS = {
    "all": "All test data",
    "table1": "Table 1: English",
    "table2": "Table 2: Chinese",
    "table3": "Table 3: losses",
    "ablations": "Ablations",
    "renderer": "Rendered training words",
    "figures": "Figures",
    "bench": "Cost, and other recognisers",
}
EARLIER = "Measured with an earlier version of the kernels."  # since then: bench/loss.json
PACKAGED = (
    "scene_ctc and scene_dctc are trainings of seed 0 apart from those of table 1, whose accuracy "
    "differs."
)
INTRODUCTION = """# Tables of all results

Written by `./reproduce.sh pages` from the records in this folder; a test compares them. What the
results mean, and their limits: [../README.md](../README.md). The studies of six families of nets
and of fine-tuning were fixed beforehand, in [../PROTOCOL.md](../PROTOCOL.md); what was measured
with the ResNet of 0.6 M parameters alone is exploratory.
"""


def gather() -> tuple[dict[str, dict[str, Table]], dict[str, Figure]]:
    """Return all tables by section, and the plots of the results page by name."""
    registry = Registry(PUBLISHED)
    frame = read_frame(registry)
    english = without_open([load(name) for name in table1_studies("small")], frame)
    drawn = {
        "table1": table1.draw(english, frame, registry),
        "table2": table2.draw([chinese_study("small")], frame, registry),
        "table3": table3.draw([load("losses"), load("losses_english")], frame, registry),
        "ablations": ablations.draw([load("ablations"), load("true_alignment")], frame, registry),
        "renderer": renderer.draw([load("renderer"), load("reader")], frame, registry),
    }
    costs = drawn["table3"][0]["costs"]
    drawn["table3"][0]["costs"] = replace(costs, notes=[*costs.notes, EARLIER])
    headline = {"headline": headline_table(frame, registry), "errors": errors_table(frame)}
    sections = {"all": {name: table for name, table in headline.items() if table}}
    sections |= {name: tables for name, (tables, _) in drawn.items()}
    sections["figures"] = {name: number_table(name) for name in NUMBERS}
    sections["bench"] = _bench_tables()
    plots = {"forest": forest_plot(frame, registry)}
    plots["losses"] = drawn["table3"][1]["compare"]
    plots["losses-curves"] = drawn["table3"][1]["curves"]
    plots["peers"] = peers_plot(_measured("peers")["rows"])
    plots |= {name: plot for name, plot in drawn["table1"][1].items() if name.startswith(BLIND)}
    return sections, plots


def _bench_tables() -> dict[str, Table]:
    """Return the tables of measured losses and models, by the name of their file."""
    draws = {
        **dict.fromkeys(("loss", "loss-gpu"), loss_table),
        **dict.fromkeys(("models", "models-gpu"), models_table),
        **{"peers": peers_table, "boxes": boxes_table},
    }
    tables = {name: draw(_measured(name)) for name, draw in draws.items()}
    notes = dict.fromkeys(("loss-gpu", "models", "models-gpu"), EARLIER)
    notes |= dict.fromkeys(("peers", "boxes"), PACKAGED)
    return {
        name: replace(table, notes=[*table.notes, notes[name]]) if name in notes else table
        for name, table in tables.items()
    }


def _measured(name: str) -> dict[str, Any]:
    """Return the content of the file of a benchmark."""
    file = PUBLISHED / "bench" / f"{name}.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def page(sections: dict[str, dict[str, Table]]) -> str:
    """Return the page of all tables as Markdown."""
    parts = [INTRODUCTION]
    for section, tables in sections.items():
        parts.append(f"## {HEADINGS[section]}\n")
        parts += [table.markdown() for table in tables.values()]
    return "\n".join(parts)


def main(options: Namespace) -> None:
    """Write the page and the plots, or compare the page.

    Raises:
        ValueError: If the page is to be compared and differs.
    """
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DCTC_RUNS"] = folder  # the list of Chinese characters is written there
        sections, plots = gather()
    text = page(sections)
    if options.check:
        if text != TABLES.read_text(encoding="utf-8"):
            raise ValueError(f"{TABLES} differs from the records; ./reproduce.sh pages writes it")
        return
    write_whole(TABLES, text.encode())
    print(f"written to {TABLES}")
    for name, plot in plots.items():
        print(f"written to {save_figure(plot, PLOTS / f'{name}.png')}")
