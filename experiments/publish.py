"""Copy results of finished runs, figures and benchmarks into experiments/results."""

from __future__ import annotations

import argparse
from pathlib import Path

from dctc.cli import one_line_errors
from dctc.parsers import program
from dctc.results.registry import runs_folder
from experiments.figures.published import FIGURES, publish_figures
from experiments.tables.publishing import (
    adopt,
    find_runs,
    publish,
    publish_benchmarks,
    writing,
)

RESULTS = "experiments/results"
# What experiments/results/TABLES.md is drawn from, as far as it is there
TARGETS = (
    "renderer",
    "table1",
    "table1-sroie",
    "protocol",
    "protocol-scene",
    "table2",
    "table3",
    "table3-english",
    "ablations",
)


def main() -> None:
    """Publish the runs that are asked for."""
    parser = argparse.ArgumentParser(program(), description=__doc__)
    parser.add_argument(
        "--runs",
        nargs="+",
        metavar="NAME",
        help=f"names of runs, with * for any part (default: all of {', '.join(TARGETS)})",
    )
    parser.add_argument("--to", type=Path, default=Path(RESULTS), help=f"default: {RESULTS}")
    parser.add_argument(
        "--figures",
        nargs="+",
        choices=FIGURES,
        help="figures in place of runs: arrays from runs, or else those that are published, and "
        "pictures drawn from them",
    )
    parser.add_argument(
        "--bench", nargs="+", metavar="NAME", help="benchmarks, such as losses, in place of runs"
    )
    parser.add_argument(
        "--adopt",
        action="store_true",
        help="the other way round: take published results over, so that those runs are not trained "
        "again",
    )
    options = parser.parse_args()
    runs = runs_folder()
    if options.adopt:
        print(f"{len(adopt(options.to, runs))} published records taken over into {runs}")
        return
    if options.figures:
        with writing(options.to):
            files = publish_figures(runs, options.figures, options.to)
        for file in files:
            print(f"published as {file}")
        return
    if options.bench:
        for file in publish_benchmarks(runs, options.bench, options.to):
            print(f"published as {file}")
        return
    names = options.runs or [t for t in TARGETS if next((runs / t).glob("**/run_key"), None)]
    records = publish(runs, find_runs(runs, names), options.to)
    for record in sorted(records, key=lambda r: (r.arm, r.seed, r.set)):
        said = f", {record.correct:,} of {record.n:,}"
        blind = record.arm.startswith("protocol")  # not shown before its study is complete
        print(f"{record.arm}, seed {record.seed}: {record.set}{'' if blind else said}")
    print(f"{len(records)} records published to {options.to}")


if __name__ == "__main__":
    with one_line_errors("publish"):
        main()
