"""A model with CTC and with DCTC on Chinese (the paper's Table 2): rendered lines.

The characters are the thousand most frequent ones; texts and a family of fonts are held out.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml
from rich.console import Console

from dctc.arguments import seeds
from dctc.cli import one_line_errors
from dctc.data.archives.alphabet import write_common_characters
from dctc.data.rendered import NAME
from dctc.results.comparison import Row
from dctc.results.registry import Registry
from dctc.results.tables import Table
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all
from dctc.studies.runner import Run
from experiments.studies.chinese_runs import (
    ALPHA,
    CHARACTERS,
    MODEL,
    SCALES,
    charset,
    fonts_are_there,
    lines,
    study,
    target,
)
from experiments.studies.table_script import run_script, table_parser
from experiments.tables.alignment_table import alignment_table
from experiments.tables.model_arms import common_seeds, find_pairs
from experiments.tables.model_table import companion_table

QUOTED = Path("experiments/paper/chinese.yaml")
LOSSES = ("CTC", "DCTC")


def result_tables(scale: str, registry: Registry) -> dict[str, Table]:
    """Return the tables of what a registry holds; none where no seed has both arms."""
    pairs = find_pairs(registry, f"{target(scale)}/", LOSSES)
    if MODEL not in pairs or not common_seeds(*pairs[MODEL], [NAME]):
        return {}
    notes = [
        f"Lines of 1 to 15 of the {CHARACTERS:,} most frequent Chinese characters, digits and "
        f"letters, 32x256; no text of the test is trained on, and its Chinese is drawn with a "
        f"family of fonts that training does not use. DCTC: weight {ALPHA}."
    ]
    if scale != "small":
        notes.append("A short training that reads next to nothing: a trial, no result.")
    title = "Table 2, Chinese: rendered lines"
    rows = [
        Row(arm.loss, arm.loss, weight, {}, arm.records[NAME])
        for arm, weight in zip(pairs[MODEL], ("", ALPHA), strict=True)
    ]
    return {
        "table2": companion_table(title, registry, *pairs[MODEL], NAME, notes),
        "alignment": alignment_table("Alignment on Chinese lines", rows, notes, "Test lines"),
    }


def published_tables() -> dict[str, Table]:
    """Return what others have published of the Chinese benchmark, as it was printed.

    Raises:
        ValueError: If a row has not one value for each column.
    """
    content = yaml.safe_load(QUOTED.read_text(encoding="utf-8"))
    sets = [f"{name} {size:,}" for name, size in content["sets"].items()]
    more = {"losses": ["mean", "weighted mean", "size"], "baselines": []}
    titles = {
        "losses": "Published: Chinese benchmark, word accuracy in percent",
        "baselines": "Published: its own baselines, word accuracy in percent / NED",
    }
    tables = {}
    for key, columns in more.items():
        rows = [[r["trained"], r["mark"], *r["values"].split()] for r in content[key]]
        heads = ["published", "mark", *sets, *columns]
        for row in rows:
            if len(row) != len(heads):
                raise ValueError(
                    f"{QUOTED}: {row[0]} has {len(row) - 2} of {len(heads) - 2} values"
                )
        marks = {row[1] for row in rows}
        notes = [f"{mark}: {text}." for mark, text in content["marks"].items() if mark in marks]
        tables[key] = Table(titles[key], heads, rows, notes + (_HEADLINE if columns else []))
    return tables


_HEADLINE = [
    "Size: parameters. -: not known to us. The paper claims gains of up to 2.6 %; Web gains 2.9 "
    "points with SVTR-B here, so that the claim cannot be placed."
]


def draw(scale: str, registry: Registry, log: LogMode, console: Console) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    tables = result_tables(scale, registry)
    tables |= {f"published-{name}": table for name, table in published_tables().items()}
    report(target(scale), log, tables, console)


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = table_parser(__doc__ or "", (*SCALES,))
    parser.add_argument("--seeds", type=seeds, help="these seeds: SEED[,SEED]")
    return parser.parse_args()


def plans(scale: str, seeds: Sequence[int] | None = None) -> dict[str, list[Run]]:
    """Return all runs; the list of characters, which they are told apart by, is written."""
    write_common_characters(charset(), CHARACTERS)
    return {target(scale): study(scale, seeds).runs()}


def train(options: argparse.Namespace, console: Console) -> dict[str, Outcome]:
    """Train what is missing; return what became of each run.

    A trial without fonts that draw Chinese is left out.
    """
    (runs,) = plans(options.scale, options.seeds).values()
    if not fonts_are_there(options.scale == "small", console):
        return {}
    lines(options.scale).write()
    return execute_all(runs, options.jobs, options.log)


def main() -> None:
    """Train, and compare."""
    options = parse()
    run_script(
        options,
        draw=partial(draw, options.scale),
        plans=lambda: plans(options.scale, options.seeds),
        train=lambda console: train(options, console),
    )


if __name__ == "__main__":
    with one_line_errors("table2"):
        main()
