"""Figure 1: at which frames nets of CTC, attention and DCTC read, and how pairs of seeds differ."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, islice
from typing import Any

import numpy as np

from dctc.cli import one_line_errors
from dctc.data.benchmarks import find_train_words
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.records.batch import Batch
from dctc.data.records.root import data_root
from dctc.data.rendered import NAME as RENDERED
from dctc.studies.parallel import finish_all
from dctc.studies.real_words import Benchmarks
from dctc.studies.runner import Finished, Run, parse_options
from dctc.studies.status import status_lines
from dctc.studies.study import Study
from experiments.figures.spikes import (
    choose_misread,
    choose_words,
    disagreements,
    gradient_arrays,
    select,
    word_arrays,
)
from experiments.figures.spikes_figure import draw_spikes, rate_table
from experiments.studies.figure_report import report_figure
from experiments.studies.figure_runs import ATTENTION, CTC, DCTC, SCALES, by_arm, load, study

FAMILIES = (CTC, ATTENTION, DCTC)
SEEDS_OF_PAIRS = {"tiny": (0, 1), "smoke": (0, 1), "small": (0, 1, 2)}
WORDS = 4  # that are drawn
DRAWN_SEEDS = 2
REAL_WORDS = Benchmarks((REAL_TRAIN_WORDS,))
DISTILL_WEIGHT = 0.1  # of the gradient that is drawn; authors' code, default


def word_panels(nets: list[list[Any]], tokenizer: Any, batch: Batch) -> dict[str, np.ndarray]:
    """Return what the panels of a few words of a batch are drawn from."""
    words, net = select(batch, choose_words(batch, WORDS)), nets[0][0]
    word = select(batch, [choose_misread(net, tokenizer, batch)])
    return {
        "families": np.array([family.title for family in FAMILIES]),
        **word_arrays([row[:DRAWN_SEEDS] for row in nets], tokenizer, words),
        **gradient_arrays(net, tokenizer, word, DISTILL_WEIGHT),
    }


def rates(
    seeds: Sequence[int],
    finished: list[list[Finished]],
    nets: list[list[Any]],
    loaders: dict[str, Any],
    tokenizer: Any,
) -> dict[str, np.ndarray]:
    """Return the disagreement of each family's pairs on each set, and how well its nets read."""
    found = [
        [disagreements(of_family, tokenizer, loader()) for loader in loaders.values()]
        for of_family in nets
    ]
    records = [[run.records for run in runs] for runs in finished]
    return {
        "sets": np.array([*loaders]),
        "pairs": np.array([*combinations(seeds, 2)]),
        "apart": np.array([[[d.apart for d in of_set] for of_set in row] for row in found]),
        "characters": np.array([[[d.n for d in of_set] for of_set in row] for row in found]),
        "correct": np.array(
            [[[seed[name].correct for name in loaders] for seed in row] for row in records]
        ),
        "words": np.array([records[0][0][name].n for name in loaders]),
    }


def figure_study(scale: str) -> Study:
    """Return the trainings; they are tested on real words too, where these are there."""
    real = data_root().is_dir() and find_train_words(data_root())
    return study(scale, FAMILIES, SEEDS_OF_PAIRS[scale], (REAL_WORDS,) if real else ())


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs."""
    return {"figure1": figure_study(scale).runs()}


def main() -> None:
    """Train nets, compare those of a family in pairs, draw."""
    options = parse_options(__doc__ or "", scales=tuple(SCALES))
    plan = figure_study(options.scale)
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    if not plan.tests:
        print(f"No real training words below {data_root()} (DCTC_DATA); rendered words only.")
    finished = by_arm(finish_all(plan.runs(), options.jobs, options.log), len(FAMILIES))
    loaded = [[load(run) for run in runs] for runs in finished]
    nets: list[list[Any]] = [[one.net for one in row] for row in loaded]
    tokenizer = loaded[0][0].tokenizer
    batches = 1 if options.scale == "tiny" else None
    modules: dict[str, Any] = {RENDERED: finished[0][0].data}  # seed 0's words, for all nets
    if plan.tests:
        own = {"charset": "36", "protocol": "english36", "eval_batch_size": 256, "num_workers": 0}
        modules[REAL_TRAIN_WORDS] = REAL_WORDS({"data": {"init_args": own}})
    for module in modules.values():
        module.setup("test")
    loaders = {
        name: lambda module=module: islice(module.test_dataloader()[0], batches)
        for name, module in modules.items()
    }
    drawn = {name: word_panels(nets, tokenizer, next(loader())) for name, loader in loaders.items()}
    arrays = {**drawn.pop(RENDERED), **rates(plan.seeds, finished, nets, loaders, tokenizer)}
    figure, table = draw_spikes(arrays), rate_table(arrays)
    real_figures = {f"figure1-{name}": draw_spikes(of_set) for name, of_set in drawn.items()}
    report_figure("figure1", options.scale, options.log, figure, arrays, table, real_figures)


if __name__ == "__main__":
    with one_line_errors("figure1"):
        main()
