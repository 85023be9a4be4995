"""Models with CTC and with DCTC on English (the paper's Table 1), and on real documents.

Trained on rendered scene words and scored on the six benchmarks; beside them lines of receipts
(SROIE), and words of forms (FUNSD) as the comparison of losses has trained them.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from rich.console import Console

from dctc.arguments import names, seeds
from dctc.cli import one_line_errors
from dctc.data.document_sets import SOURCES, find_documents
from dctc.data.rendered import NAME
from dctc.results.registry import Registry
from dctc.results.tables import Table
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all
from experiments.studies.loss_runs import forms_pair
from experiments.studies.loss_runs import target as losses_target
from experiments.studies.model_runs import LINES_WEIGHT, MODELS, PARTS, SCALES, plans, target
from experiments.studies.scene_runs import (
    CONFIGS,
    DISTILL_WEIGHT,
    SIX,
    SceneRuns,
)
from experiments.studies.table_script import run_script, table_parser
from experiments.tables.model_arms import common_seeds, contrasts, find_pairs
from experiments.tables.model_table import (
    accuracy_table,
    companion_table,
    detectable_note,
    difference_table,
)
from experiments.tables.nets_table import nets_table
from experiments.tables.quoted import quoted_table, read_quoted

QUOTED = Path("experiments/paper/english.yaml")
FIVE = tuple(name for name in SIX if name != "IC15_2077")
MEANS = {"six-set mean": SIX, "five-set mean": FIVE}
POOLED = {"weighted mean": SIX}


def train(options: argparse.Namespace, console: Console) -> dict[str, Outcome]:
    """Train what is missing; return what became of each run."""
    parts = choose_parts(options, console)
    if "scene" in parts:
        SceneRuns(options.scale).prepare(console)
    found = plans(options.scale, parts, options.models, options.seeds)
    runs = [run for of_part in found.values() for run in of_part]
    return execute_all(runs, options.jobs, options.log)


_HEADLINE = "The six-set mean is the paper's measure; rows of single sets are there for its parts."


def scene_tables(scale: str, registry: Registry, console: Console) -> dict[str, Table]:
    """Return the tables of the benchmarks; none without records."""
    found = find_pairs(registry, f"{target(scale)}/")
    tested = {name for pair in found.values() for arm in pair for name in arm.records}
    sets = [name for name in SIX if name in tested]
    notes = [
        f"Trained on rendered scene words. DCTC: distill_weight {DISTILL_WEIGHT}, the default of "
        f"its authors' code.",
        "IC15_2077 is all of ICDAR 2015; published rows have its subset IC15_1811. The five-set "
        "mean is that without IC15; the weighted mean counts every word the same.",
    ]
    if not sets:
        sets, notes = [NAME], ["Rendered words that were held out: a trial, no result."]
    elif missing := ", ".join(name for name in SIX if name not in sets):
        notes.append(f"Not scored, so that means are missing: {missing}.")
    means, pooled = (MEANS, POOLED) if sets != [NAME] else ({}, {})
    complete = {model: pair for model, pair in found.items() if common_seeds(*pair, sets)}
    if not complete:
        console.print(f"{target(scale)}: no finished runs of both losses yet.", highlight=False)
        return {}
    if left_out := ", ".join(sorted(found.keys() - complete)):
        notes.append(f"Left out, as no seed of both losses was scored on all of these: {left_out}.")
    compared = {
        model: contrasts(registry, *pair, sets, means, pooled) for model, pair in complete.items()
    }
    for model, found_of in compared.items():
        shown = {name: c for name, c in found_of.items() if name not in SIX}
        notes += detectable_note(model, shown)
    both = [arm for pair in complete.values() for arm in pair]
    title = "Table 1, English: word accuracy"
    tables = {"table1": accuracy_table(title, both, sets, means, pooled, notes)}
    for model, found_of in compared.items():
        tables[f"difference-{model}"] = difference_table(
            f"{model}: DCTC against CTC",
            ("CTC", "DCTC"),
            found_of,
            [_HEADLINE] if set(SIX) <= set(sets) else [],
        )
    configs = {model: CONFIGS / "model" / f"{model}.yaml" for model in complete}
    return tables | {"nets": nets_table("The nets", configs, registry.folder)}


def sroie_tables(scale: str, registry: Registry) -> dict[str, Table]:
    """Return the tables of receipts; none without records."""
    name = SOURCES["sroie"].name
    return {
        f"sroie-{model}": companion_table(
            f"{name}, lines of receipts: {model}",
            *(registry, *pair, name),
            [
                "In the order of the receipts: the last tenth is tested, the tenth before "
                f"validated. DCTC: distill_weight {LINES_WEIGHT}, which weighs as much over the "
                "frames of a line as that of words over a quarter of them; not searched."
            ],
        )
        for model, pair in find_pairs(registry, f"{target(scale, 'sroie')}/").items()
        if common_seeds(*pair, [name])
    }


def funsd_tables(scale: str, registry: Registry, console: Console) -> dict[str, Table]:
    """Return the table of forms: CTC, and DCTC at the weight that the comparison of losses chose.

    None where a weight that is planned is not searched, so that none is chosen yet.
    """
    name = SOURCES["funsd"].name
    pair = forms_pair(scale, registry)
    if not common_seeds(*pair, [name]):
        console.print(
            f"{name}: no final runs of {losses_target(scale)}/ctc and of its dctc at the chosen "
            f"weight; ./reproduce.sh table3 --scale {scale} --only ctc,dctc trains them.",
            highlight=False,
        )
        return {}
    title = f"{name}, words of forms: {pair[0].model}"
    notes = ["Runs of table 3; the weight was chosen there, on validation words."]
    return {"funsd": companion_table(title, registry, *pair, name, notes)}


def draw(scale: str, registry: Registry, log: LogMode, console: Console) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    sets, rows = read_quoted(QUOTED)
    version = "IC15_1811 is a subset of the IC15_2077 that ours are scored on: compare the five-set"
    tables = {
        **scene_tables(scale, registry, console),
        **sroie_tables(scale, registry),
        **funsd_tables(scale, registry, console),
        "published": quoted_table(
            *("Published: English, trained on MJSynth and SynthText", sets, rows),
            *("six-set mean", ("five-set mean", FIVE), [f"{version} means."]),
        ),
    }
    report(target(scale), log, tables, console)


def parse() -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ValueError: If a part or a model does not exist.
    """
    parser = table_parser(__doc__ or "", (*SCALES,))
    add = parser.add_argument
    add("--only", type=names, default=[], help="train these parts: PART[,PART]")
    add("--models", type=names, default=[], help="train these: MODEL[,MODEL]")
    add("--seeds", type=seeds, help="these seeds of each arm: SEED[,SEED]")
    options = parser.parse_args()
    for option, known in (("only", PARTS), ("models", MODELS)):
        for name in getattr(options, option):
            if name not in known:
                raise ValueError(f"--{option} {name}: there are {', '.join(known)}")
    options.only = options.only or [*PARTS]
    options.models = options.models or ["small_resnet"]
    return options


def choose_parts(options: argparse.Namespace, console: Console) -> list[str]:
    """Return the parts asked for whose data is there; say what of the others is missing."""
    parts = list(options.only)
    if "sroie" in parts:
        try:
            find_documents(SOURCES["sroie"])
        except FileNotFoundError as error:
            console.print(f"{error}; left out", highlight=False)
            parts.remove("sroie")
    return parts


def main() -> None:
    """Train, and compare."""
    options = parse()
    run_script(
        options,
        draw=partial(draw, options.scale),
        plans=lambda: plans(options.scale, options.only, options.models, options.seeds),
        train=lambda console: train(options, console),
    )


if __name__ == "__main__":
    with one_line_errors("table1"):
        main()
