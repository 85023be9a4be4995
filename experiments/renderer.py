"""What the renderer is worth: nets trained on rendered words alone, scored on real ones.

The recipes are compared on the real training words, which serve as validation data. The reader, the
longer training, is scored on the benchmarks too.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console

from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_benchmarks
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.root import data_root
from dctc.reporting.registry import Record, runs_folder
from dctc.reporting.tables import Table, percent
from dctc.training.parallel import execute_all, report_problems
from dctc.training.real_words import Benchmarks
from dctc.training.runs import Run, options_parser
from dctc.training.study import print_status
from dctc.training.upload import upload

CONFIG = "experiments/configs/reader.yaml"
DATA = "--data.init_args"
Scored = Mapping[str, Mapping[str, Record]]  # by recipe and set
SIX = ("IIIT5K", "SVT", "IC13_857", "IC15_2077", "SVTP", "CUTE80")

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


def plan(recipe: str, scale: str, real: bool) -> Run:
    """Return the training of a recipe, or of the reader."""
    reader = recipe == "reader"
    sets = (REAL_TRAIN_WORDS, *SIX) if reader else (REAL_TRAIN_WORDS,)
    arm = f"renderer/{recipe.replace(', ', '-').replace(' ', '_')}"
    return Run(
        name=f"{arm}/seed0",
        options=(
            f"--config={CONFIG}",
            f"--arm={arm}",
            *(() if reader else (*RECIPES[recipe], *COMPARED)),
            *(TINY if scale == "tiny" else ()),
        ),
        tests=(Benchmarks(sets),) if real else (),
    )


def table(scored: Scored, sets: tuple[str, ...], title: str, note: str) -> Table:
    """Return word accuracy and NED by recipe and set."""
    rows = [
        [
            recipe,
            name,
            f"{record.n:,}",
            percent(record.correct, record.n),
            percent(record.similarity, record.n),
        ]
        for recipe, records in scored.items()
        for name, record in records.items()
        if name in sets
    ]
    return Table(title, ["trained on", "set", "n", "accuracy", "NED"], rows, [note])


def main() -> None:
    """Train, test and compare."""
    parser = options_parser(__doc__ or "", scales=("tiny", "small"))
    parser.add_argument("--only", choices=[*RECIPES, "reader"], nargs="+", help="train these")
    options = parser.parse_args()
    console = Console()
    root = data_root()
    real = root.is_dir() and bool(find_benchmarks(root)[0])
    if not real:
        console.print(
            f"No real words found below {root} (DCTC_DATA); scoring on rendered words only. "
            f"The README says how to get them.",
            highlight=False,
        )
    recipes = ["easy"] if options.scale == "tiny" else [*RECIPES, "reader"]
    recipes = [recipe for recipe in recipes if recipe in (options.only or recipes)]
    runs = {recipe: plan(recipe, options.scale, real) for recipe in recipes}
    if options.status:
        print_status("renderer", list(runs.values()))
        return
    outcomes = execute_all(list(runs.values()), options.jobs, options.log)
    scored = {recipe: outcomes[run.name].records for recipe, run in runs.items()}
    out = runs_folder() / "renderer"
    compared = {recipe: records for recipe, records in scored.items() if recipe != "reader"}
    tables = {
        "recipes": table(
            compared,
            ("rendered", REAL_TRAIN_WORDS),
            "Recipes of rendered words",
            "0.6 M parameters, 128,000 images, one seed. The set 'rendered' is each recipe's own.",
        )
    }
    if "reader" in scored:
        reader = {"reader": scored["reader"]}
        tables["reader"] = table(
            reader, (REAL_TRAIN_WORDS, *SIX), "The reader", "0.9 M parameters, CTC, one seed."
        )
    files = []
    for name, drawn in tables.items():
        drawn.print(console)
        files += drawn.write(out, name)
    upload("renderer", options.log, tables)
    for file in files:
        console.print(f"written to {file}", highlight=False)
    if report_problems(outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    with one_line_errors("renderer"):
        main()
