"""The comparison of losses (the paper's Table 3) on real words, each at the best weight found.

The strongest of them on English too: trained on rendered scene words as the models of table 1 are,
and scored on the six benchmarks (--english, after the search).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from rich.console import Console

from dctc.arguments import names, seeds
from dctc.bench.losses import read_costs
from dctc.cli import one_line_errors
from dctc.results.hardware import hardware_notes
from dctc.results.registry import Registry, runs_folder
from dctc.results.upload import LogMode, report
from dctc.studies.parallel import Outcome, execute_all
from dctc.studies.runner import Run
from dctc.studies.search import (
    choices,
    open_searches,
    records_by_loss,
    search_table,
)
from dctc.studies.weight_search import SEARCH_SEED, WeightSearch
from experiments.studies.english_losses import BEST, english_rivals, english_runs, english_tables
from experiments.studies.loss_arms import AUGMENTED_REFERENCE, BY_KEY, REFERENCE
from experiments.studies.loss_rows import rival_rows, table_rows
from experiments.studies.loss_runs import SCALES, plan
from experiments.studies.scene_runs import SceneRuns
from experiments.studies.table_script import run_script, table_parser
from experiments.studies.word_runs import words_are_there
from experiments.tables.alignment_table import alignment_table
from experiments.tables.convergence import convergence_table
from experiments.tables.factor_table import factor_table
from experiments.tables.loss_table import comparison_table
from experiments.tables.seed_table import seed_table

VIEWS = (
    "CR-CTC is trained with two views of each of half as many words: as many images as the others.",
    "Its reference, CTC, augmented, has one view of each word, and never loses a stripe of it as "
    "the two views do.",
    "The cost of CTC, augmented is that of plain CTC; it was not measured.",
)
RIVALS = "Below zero DCTC reads more. CR-CTC is not here, as it trains on augmented images."


def draw(
    scale: str, study: WeightSearch, registry: Registry, log: LogMode, console: Console
) -> None:
    """Print the tables of what a registry holds, and write them as Markdown and CSV."""
    found = study.find(registry)
    searched = study.read(found)
    rows = table_rows(study, found, choices(searched))
    costs = read_costs(registry.folder)
    if costs:
        costs[AUGMENTED_REFERENCE] = costs[REFERENCE]
    notes, (validation, test) = study.words.notes, study.words.sets
    how = f"Percent of {validation}, validation words, after training; seed {SEARCH_SEED}."
    how += " Where a source names one weight, the others are a third of it and three times it."
    tables = {}
    if any(search.scored for search in searched.values()):
        tables["search"] = search_table(
            registry, searched, [how, *hardware_notes(records_by_loss(searched)), *notes]
        )
    if any(row.tested for row in rows):
        title = f"Losses on {test}"
        views = VIEWS if any(row.key == "cr_ctc" and row.tested for row in rows) else ()
        tables["table3"] = comparison_table(title, registry, rows, costs, [*views, *notes])
        rivals = rival_rows(rows)
        if sum(bool(row.tested) for row in rivals) > 1 and rivals[0].tested:
            title = f"Other losses against DCTC on {test}"
            tables["rivals"] = factor_table(title, registry, rivals, [RIVALS, *notes])
        tables["alignment"] = alignment_table(f"Alignment on {validation}", rows, notes)
    if by_seed := seed_table(f"Seed by seed on {test}", registry, rows, notes):
        tables["seeds"] = by_seed
    both = [row for key in (REFERENCE, "dctc") for row in rows if row.key == key]
    if len(both) == 2 and both[0].tested.keys() & both[1].tested.keys():
        title = f"During training on {test}: DCTC {both[1].weight} against CTC"
        if convergence := convergence_table(title, registry.folder, both[0], both[1], notes):
            tables["convergence"] = convergence
    tables |= english_tables(scale, registry, english_rivals(study, searched))
    report(study.name, log, tables, console)


def parse() -> argparse.Namespace:
    """Parse the command line.

    Raises:
        ValueError: If an arm does not exist, or a final seed is that of the search.
    """
    parser = table_parser(__doc__ or "", (*SCALES,))
    add = parser.add_argument
    add("--only", type=names, default=[], help="train these: ARM[,ARM]")
    add(
        "--seeds",
        type=seeds,
        help="these final seeds for each of them: SEED[,SEED]",
    )
    english = "train CTC, DCTC and the best rivals on English words, and nothing else"
    add("--english", action="store_true", help=english)
    options = parser.parse_args()
    unknown = [key for key in options.only if key not in BY_KEY]
    if unknown:
        raise ValueError(f"--only {unknown[0]}: there are {', '.join(BY_KEY)}")
    if SEARCH_SEED in (options.seeds or ()):
        raise ValueError(f"--seeds {SEARCH_SEED}: that is the seed of the search; take others")
    return options


def choose_plan(options: argparse.Namespace) -> WeightSearch:
    """Return the runs on FUNSD, or where it is not there on rendered words.

    Raises:
        FileNotFoundError: If it is needed and not there, for more than a trial.
    """
    result = options.scale == "small"
    if options.source or options.status or (result and options.english):
        return plan(options.scale, real=True)
    return plan(options.scale, words_are_there(result, Console()))


def train(study: WeightSearch, options: argparse.Namespace, console: Console) -> dict[str, Outcome]:
    """Search, and train the chosen weights over seeds; return what became of each run."""
    arms = study.arms(options.only)
    console.rule("Search")
    outcomes = execute_all(study.search_runs(arms), options.jobs, options.log)
    searched = study.read(study.find(Registry(runs_folder())))
    console.print(open_searches(searched), highlight=False)
    console.rule("Final runs")
    runs = study.final_runs(searched, arms, options.seeds)
    return outcomes | execute_all(runs, options.jobs, options.log)


def train_english(
    study: WeightSearch, options: argparse.Namespace, console: Console
) -> dict[str, Outcome]:
    """Train on English words what the search has chosen; return what became of each run."""
    searched = study.read(study.find(Registry(runs_folder())))
    rivals = english_rivals(study, searched)
    said = ", ".join(arm.title for arm in rivals) or "none yet"
    console.print(
        f"The {BEST} best rivals searched: {said}.", open_searches(searched), highlight=False
    )
    SceneRuns(options.scale).prepare(console)
    runs = english_runs(options.scale, rivals, options.seeds)
    return execute_all(runs, options.jobs, options.log)


def plans(
    scale: str, only: Sequence[str] = (), seeds: Sequence[int] | None = None
) -> dict[str, list[Run] | str]:
    """Return the runs of the search, the final ones as far as it names them, the English ones.

    What it does not name yet is said in words.
    """
    study = plan(scale, real=True)
    searched, arms = study.read(study.find(Registry(runs_folder()))), study.arms(only)
    final, rivals = study.final_runs(searched, arms, seeds), english_rivals(study, searched)
    losses = sum(arm.key not in choices(searched) for arm in arms)
    best = min(BEST, sum(arm.ranked for arm in study.losses)) - len(rivals)
    later = "not counted: {}, planned when their weights are chosen".format
    found: dict[str, list[Run] | str] = {f"{study.name} search": study.search_runs(arms)}
    if final:
        found[study.name] = final
    if losses:
        found[f"{study.name} later"] = later(f"final runs of {losses} loss{'es' * (losses > 1)}")
    found[f"{study.name}-english"] = english_runs(scale, rivals, seeds)
    if best:
        found[f"{study.name} rivals"] = later(f"{best} on English words")
    return found


def main() -> None:
    """Search, train the chosen weights over seeds, and compare."""
    options = parse()
    study = choose_plan(options)
    do = train_english if options.english else train
    run_script(
        options,
        draw=partial(draw, options.scale, study),
        plans=lambda: plans(options.scale, options.only, options.seeds),
        train=lambda console: do(study, options, console),
    )


if __name__ == "__main__":
    with one_line_errors("table3"):
        main()
