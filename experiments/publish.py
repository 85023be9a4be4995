"""Copy results of finished runs, figures and benchmarks into experiments/results."""

from __future__ import annotations

from argparse import Namespace

from dctc.results.registry import runs_folder
from experiments.figures.published import publish_figures
from experiments.parsers import TARGETS
from experiments.studies import blind_studies
from experiments.tables.publishing import (
    adopt,
    find_runs,
    publish,
    publish_benchmarks,
    writing,
)


def main(options: Namespace) -> None:
    """Publish what is asked for."""
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
    blind = blind_studies()
    for record in sorted(records, key=lambda r: (r.arm, r.seed, r.set)):
        said = f", {record.correct:,} of {record.n:,}"
        hidden = record.arm.partition("/")[0] in blind  # not shown before its study is complete
        print(f"{record.arm}, seed {record.seed}: {record.set}{'' if hidden else said}")
    print(f"{len(records)} records published to {options.to}")
