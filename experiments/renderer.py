"""What the renderer is worth: nets trained on rendered words alone, scored on real ones.

The recipes are compared on the real training words, which serve as validation data. The reader, the
longer training, is scored on the benchmarks too.
"""

from __future__ import annotations

from typing import Any

from rich.console import Console

from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_benchmarks
from dctc.data.english import REAL_TRAIN_WORDS, EnglishDataModule
from dctc.data.root import data_root
from dctc.reporting.registry import runs_folder
from dctc.reporting.tables import Table, percent
from dctc.training.runs import Finished, Run, execute, parse_options

CONFIG = "experiments/configs/reader.yaml"
DATA = "--data.init_args"
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


def real_words(names: tuple[str, ...]) -> Any:
    """Return what makes the data module of some real sets from a run's configuration."""

    def make(config: dict[str, Any]) -> EnglishDataModule:
        options = config["data"]["init_args"]
        return EnglishDataModule(
            test=list(names),
            batch_size=options["batch_size"],
            eval_batch_size=256,
            charset=options["charset"],
            protocol=options["protocol"],
            num_workers=options["num_workers"],
        )

    return make


def plan(recipe: str, scale: str, real: bool) -> Run:
    """Return the training of a recipe, or of the reader."""
    reader = recipe == "reader"
    sets = (REAL_TRAIN_WORDS, *SIX) if reader else (REAL_TRAIN_WORDS,)
    name = f"renderer/{recipe.replace(', ', '-').replace(' ', '_')}"
    return Run(
        name=name,
        options=(
            f"--config={CONFIG}",
            f"--arm={name}",
            *(() if reader else (*RECIPES[recipe], *COMPARED)),
            *(TINY if scale == "tiny" else ()),
        ),
        tests=(real_words(sets),) if real else (),
    )


def table(finished: dict[str, Finished], sets: tuple[str, ...], title: str, note: str) -> Table:
    """Return word accuracy and NED by recipe and set."""
    rows = [
        [
            recipe,
            name,
            f"{record.n:,}",
            percent(record.correct, record.n),
            percent(record.similarity, record.n),
        ]
        for recipe, run in finished.items()
        for name, record in run.records.items()
        if name in sets
    ]
    return Table(title, ["trained on", "set", "n", "accuracy", "NED"], rows, [note])


def main() -> None:
    """Train, test and compare."""
    options = parse_options(__doc__ or "", scales=("tiny", "small"))
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
    finished = {}
    for recipe in recipes:
        console.rule(recipe)
        finished[recipe] = execute(plan(recipe, options.scale, real), options.log)
    out = runs_folder() / "renderer"
    compared = {recipe: run for recipe, run in finished.items() if recipe != "reader"}
    tables = [
        table(
            compared,
            ("rendered", REAL_TRAIN_WORDS),
            "Recipes of rendered words",
            "0.6 M parameters, 128,000 images, one seed. The set 'rendered' is each recipe's own.",
        )
    ]
    if "reader" in finished:
        reader = {"reader": finished["reader"]}
        tables.append(table(reader, (REAL_TRAIN_WORDS, *SIX), "The reader", "One seed; CTC."))
    for drawn in tables:
        drawn.print(console)
    (out / "tables.md").write_text("\n".join(t.markdown() for t in tables), encoding="utf-8")
    console.print(f"written to {out / 'tables.md'}", highlight=False)


if __name__ == "__main__":
    with one_line_errors("renderer"):
        main()
