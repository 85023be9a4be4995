"""Figure 4: features of characters that are confused, with CTC and with DCTC.

Characters of rendered words, and at scale small Chinese look-alikes, of the nets of table 2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from dctc.cli import one_line_errors
from dctc.data.records.batch import Batch
from dctc.data.sets import eval_loader
from dctc.studies.runner import Finished
from dctc.studies.study import Study
from dctc.training.results_writer import read_readings
from experiments.figures.clusters import (
    choose_groups,
    cluster_arrays,
    cohesion_table,
    draw_clusters,
)
from experiments.studies import figure_runs as runs
from experiments.studies.chinese import chinese_study, missing_fonts

TINY_GROUPS = ["ao", "il"]  # a net of one step confuses nothing in particular
CHINESE_LINES = 6000  # three times those that table 2 tests, as a Chinese character occurs seldom
PARTS = ("english", "chinese")


def read(arms: Sequence[Sequence[Finished]]) -> list[tuple[str, str]]:
    """Return label and prediction of the test words of all runs."""
    tables = [run.folder / "readings" / "rendered.tsv" for seeds in arms for run in seeds]
    return [(found.label, found.prediction) for file in tables for found in read_readings(file)]


def more_lines(data: Any, size: int) -> list[Batch]:
    """Return the rendered test lines of a run, and those that come after them."""
    data.setup("test")
    (lines,) = map(copy, data.test_sets.values())
    lines.size = size
    return list(eval_loader(lines, data.eval_batch_size))


def draw(
    name: str,
    options: argparse.Namespace,
    plan: Study,
    finished: list[list[Finished]],
    groups: list[str],
    words: list[Batch],
) -> None:
    """Measure the clusters of all runs of a study, and draw those of its first seed."""
    nets, tokenizer = runs.load_nets(finished)
    arrays = cluster_arrays(nets, tokenizer, words, groups)
    arrays["arms"] = np.array([arm.title for arm in plan.arms.values()])
    figure, table = draw_clusters(arrays), cohesion_table(arrays)
    runs.report_figure(name, options.scale, options.log, figure, arrays, table)


def english(options: argparse.Namespace) -> None:
    """Train on rendered words, and draw the characters that the nets confuse."""
    plan = runs.study(options.scale)
    finished = runs.finish(plan, options)
    groups = TINY_GROUPS if options.scale == "tiny" else choose_groups(read(finished))
    words = list(runs.test_batches(finished[0][0].data))
    draw("figure4", options, plan, finished, groups, words)


def chinese(options: argparse.Namespace) -> None:
    """Draw the Chinese characters that the nets of table 2 confuse; nothing without fonts.

    All seeds of table 2 are tested on the same lines, which these begin with: of texts and of fonts
    that no net was trained on.

    Raises:
        ValueError: If nothing else is to be drawn and there are no fonts that draw Chinese.
    """
    plan = chinese_study(options.scale)
    if missing := missing_fonts():
        if options.only:
            raise ValueError(missing)
        print(f"{missing}; left out")
        return
    finished = runs.finish(plan, options)
    lines = more_lines(finished[0][0].data, CHINESE_LINES)
    groups = choose_groups(read(finished), [text for batch in lines for text in batch.label])
    draw("figure4-chinese", options, plan, finished, groups, lines)


def main() -> None:
    """Train, find the clusters, measure them, draw."""
    options = runs.parse(__doc__ or "", runs.study, PARTS)
    parts = options.only or PARTS
    if "chinese" in options.only and options.scale != "small":
        raise ValueError("--only chinese: shorter trainings than those of scale small read none")
    if "english" in parts:
        english(options)
    if "chinese" in parts and options.scale == "small":
        chinese(options)


if __name__ == "__main__":
    with one_line_errors("figure4"):
        main()
