"""What the renderer is worth: nets trained on rendered words alone, scored on real ones.

The recipes are compared on the real training words, which serve as validation data. The reader, the
longer training, is scored on the benchmarks too.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from rich.console import Console

from dctc.arguments import names
from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_benchmarks, find_train_words
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.records.root import data_root
from dctc.data.rendered import NAME
from dctc.results.comparison import find_arms
from dctc.results.registry import Record, Registry
from dctc.results.tables import Table, percent
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all
from dctc.studies.real_words import Benchmarks
from dctc.studies.runner import Run
from experiments.studies.scene_runs import DATA, SIX
from experiments.studies.table_script import run_script, table_parser

CONFIG = "experiments/configs/reader.yaml"
Scored = Mapping[str, Mapping[str, Record]]  # by recipe and set

SEED = 0  # of the configuration
READER = "reader"
READER_NOTE = (
    "0.9 M parameters, plain CTC, 768,000 rendered words, one seed. real_train_words, the official "
    "training words of IIIT5K, IC13, IC15 and SVT, are validation data."
)

# What each recipe changes on the one before it
RECIPES = {
    "easy": (f"{DATA}.preset=easy", f"{DATA}.fonts=null", f"{DATA}.words=python"),
    "scene": (f"{DATA}.preset=scene", f"{DATA}.fonts=null", f"{DATA}.words=python"),
    "scene, system fonts": (f"{DATA}.fonts=system", f"{DATA}.words=python"),
    "scene, system fonts, wordfreq": (),
}
# The small net without a neck, for 128,000 images
COMPARED = (
    "--model.net.init_args.neck_size=0",
    f"{DATA}.batch_size=32",
    "--trainer.max_steps=4000",
    "--trainer.val_check_interval=4000",
)
TINY = (
    f"{DATA}.batch_size=4",
    f"{DATA}.epoch_size=4",
    f"{DATA}.val_size=4",
    f"{DATA}.test_size=4",
    "--config=experiments/configs/trainer/tiny.yaml",
)


def arm_key(recipe: str) -> str:
    """Return the name of a recipe's arm, without that of the target."""
    return recipe.replace(", ", "-").replace(" ", "_")


def plan(recipe: str, scale: str, real: bool) -> Run:
    """Return the training of a recipe, or of the reader."""
    reader = recipe == READER
    sets = (REAL_TRAIN_WORDS, *SIX) if reader else (REAL_TRAIN_WORDS,)
    arm = f"renderer/{arm_key(recipe)}"
    return Run(
        name=f"{arm}/seed{SEED}",
        options=(
            f"--config={CONFIG}",
            f"--arm={arm}",
            *(() if reader else (*RECIPES[recipe], *COMPARED)),
            *(TINY if scale == "tiny" else ()),
        ),
        tests=(Benchmarks(sets),) if real else (),
    )


def table(scored: Scored, sets: tuple[str, ...], title: str, note: str) -> Table:
    """Return word accuracy and NED by recipe and set, with the mean where all six sets are."""
    rows = []
    for recipe, records in scored.items():
        found = {name: records[name] for name in sets if name in records}
        for name, r in found.items():
            shares = percent(r.correct, r.n), percent(r.similarity, r.n)
            rows.append([recipe, name, f"{r.n:,}", *shares])
        if found.keys() >= {*SIX}:
            mean = sum(found[name].correct / found[name].n for name in SIX) / len(SIX)
            rows.append([recipe, "mean of six", "", percent(mean, 1), ""])
    return Table(title, ["trained on", "set", "n", "accuracy", "NED"], rows, [note])


def draw(registry: Registry, log: LogMode, console: Console) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    found = find_arms(registry, "renderer/")
    scored = {
        recipe: {name: of_seed[SEED] for name, of_seed in found[arm_key(recipe)].items()}
        for recipe in [*RECIPES, READER]
        if arm_key(recipe) in found
    }
    compared = {recipe: records for recipe, records in scored.items() if recipe != READER}
    tables = {}
    if compared:
        tables["recipes"] = table(
            compared,
            (NAME, REAL_TRAIN_WORDS),
            "Recipes of rendered words",
            f"0.6 M parameters, 128,000 images, one seed. The set {NAME!r} is each recipe's own.",
        )
    if READER in scored:
        sets = (REAL_TRAIN_WORDS, *SIX)
        tables[READER] = table({READER: scored[READER]}, sets, "The reader", READER_NOTE)
    report("renderer", log, tables, console)


def train(runs: Sequence[Run], options: argparse.Namespace, console: Console) -> dict[str, Outcome]:
    """Train what is missing; return what became of each run."""
    if not all(run.tests for run in runs):
        console.print(
            f"No {REAL_TRAIN_WORDS} found below {data_root()} (DCTC_DATA), which the recipes are "
            f"compared on; they are scored on rendered words only.",
            highlight=False,
        )
    return execute_all(runs, options.jobs, options.log)


def main() -> None:
    """Train, test and compare."""
    parser = table_parser(__doc__ or "", ("tiny", "small"))
    known = {arm_key(recipe): recipe for recipe in [*RECIPES, READER]}
    text = f"train these: NAME[,NAME] of {', '.join(known)}"
    parser.add_argument("--only", type=names, default=[], help=text)
    options = parser.parse_args()
    for name in options.only:
        if name not in known:
            raise ValueError(f"--only {name}: there are {', '.join(known)}")
    chosen = options.only or (["easy"] if options.scale == "tiny" else [*known])
    root = data_root()
    words = root.is_dir() and bool(find_train_words(root))
    benchmarks = root.is_dir() and bool(find_benchmarks(root)[0])
    runs = [
        plan(recipe, options.scale, words or (recipe == READER and benchmarks))
        for recipe in (known[name] for name in chosen)
    ]
    run_script(
        options,
        draw=draw,
        plans=lambda: {"renderer": runs},
        train=lambda console: train(runs, options, console),
    )


if __name__ == "__main__":
    with one_line_errors("renderer"):
        main()
