"""Figure 1: frames of each character for CTC, attention and DCTC nets, and how seeds differ."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from typing import Any

from dctc.data.benchmarks import find_train_words
from dctc.data.english import REAL_TRAIN_WORDS
from dctc.data.records.folders import data_root
from dctc.data.rendered import NAME as RENDERED
from dctc.studies.benchmark_tests import Benchmarks
from dctc.studies.study import Study
from experiments.figures.spikes import rate_arrays, word_panels
from experiments.figures.spikes_figure import draw_spikes, rate_table
from experiments.studies import figure_runs as runs

FAMILIES = ("ctc", "attention", "dctc")
SEEDS = {"tiny": (0, 1), "smoke": (0, 1), "small": (0, 1, 2)}  # which are compared in pairs
REAL_WORDS = Benchmarks((REAL_TRAIN_WORDS,))
READ_AS = {
    "model": {"tokenizer": {"init_args": {"charset": "36"}}, "protocol": "english36"},
    "data": {"init_args": {"eval_batch_size": 256, "num_workers": 0}},
}


def figure_study(scale: str) -> Study:
    """Return the trainings; they are tested on real words too, if these are there."""
    real = data_root().is_dir() and find_train_words(data_root())
    return runs.study(scale, FAMILIES, SEEDS[scale], REAL_WORDS if real else None)


def main(options: Namespace) -> None:
    """Train nets, compare those of a family in pairs, draw."""
    runs.check("figure1", options, lambda scale: [figure_study(scale)])
    plan = figure_study(options.scale)
    finished = runs.finish(plan, options)
    nets, tokenizer = runs.load_nets(finished)
    sets: dict[str, Any] = {RENDERED: finished[0][0].data}  # seed 0's words, for all nets
    if plan.benchmarks is not None:
        sets[REAL_TRAIN_WORDS] = REAL_WORDS(READ_AS)
    else:
        print(f"No real training words below {data_root()} (DCTC_DATA); rendered words only.")
    most = 1 if options.scale == "tiny" else None
    loaders = {name: partial(runs.test_batches, data, most) for name, data in sets.items()}
    titles = [arm.title for arm in plan.arms.values()]
    drawn = {
        name: word_panels(titles, nets, tokenizer, next(iter(batches())))
        for name, batches in loaders.items()
    }
    records = [[run.records for run in of_family] for of_family in finished]
    arrays = drawn.pop(RENDERED) | rate_arrays(
        SEEDS[options.scale], records, nets, loaders, tokenizer
    )
    real = {f"figure1-{name}": draw_spikes(of_set) for name, of_set in drawn.items()}
    figure, table = draw_spikes(arrays), rate_table(arrays)
    runs.report_figure("figure1", options.scale, options.log, figure, arrays, table, real)
