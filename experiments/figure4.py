"""Figure 4: features of characters that are confused, with CTC and with DCTC.

Characters of rendered words, and at scale small Chinese look-alikes, of the nets of table 2.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from dctc.data.records.batch import Batch
from dctc.results.predictions import read_readings
from dctc.studies.runner import Finished
from dctc.studies.study import FULL, Study
from experiments.figures.clusters import (
    choose_groups,
    cluster_arrays,
    cohesion_table,
    draw_clusters,
)
from experiments.studies import figure_runs as runs
from experiments.studies.chinese_lines import chinese_study, missing_fonts

TINY_GROUPS = ["ao", "il"]  # a net of one step confuses nothing in particular
CHINESE_LINES = 6000  # three times those that table 2 tests, as a Chinese character occurs seldom
PARTS = ("english", "chinese")


def read(arms: Sequence[Sequence[Finished]]) -> list[tuple[str, str]]:
    """Return label and prediction of the test words of all runs."""
    tables = [run.folder / "readings" / "rendered.tsv" for seeds in arms for run in seeds]
    return [(found.label, found.prediction) for file in tables for found in read_readings(file)]


def more_lines(data: Any, size: int = CHINESE_LINES) -> list[Batch]:
    """Return the rendered test lines of a run, and those that come after them."""
    data.setup("test")
    (lines,) = map(copy, data.test_sets.values())
    lines.size = size
    return list(data.eval_loader(lines))


def draw(
    name: str,
    options: Namespace,
    plan: Study,
    words_of: Callable[[Any], list[Batch]],
    chinese: bool = False,
) -> None:
    """Train, find the characters that are confused most, measure and draw their clusters.

    The nets of the first seed are drawn. ``words_of`` returns the words to measure on from the data
    of a run; of ``chinese`` ones the Chinese characters alone count, such as are frequent there.
    """
    finished = runs.finish(plan, options)
    words = words_of(finished[0][0].data)
    labels = [label for batch in words for label in batch.label] if chinese else None
    tiny = options.scale == "tiny"
    groups = TINY_GROUPS if tiny else choose_groups(read(finished), labels)
    nets, tokenizer = runs.load_nets(finished)
    arrays = cluster_arrays(nets, tokenizer, words, groups)
    arrays["arms"] = np.array([arm.title for arm in plan.arms.values()])
    figure, table = draw_clusters(arrays), cohesion_table(arrays, by_font=True)
    runs.report_figure(name, options.scale, options.log, figure, arrays, table)


def plans(scale: str) -> list[Study]:
    """Return the studies whose nets are looked at."""
    return [runs.study(scale), *([chinese_study(scale)] if scale == FULL else [])]


def main(options: Namespace) -> None:
    """Draw English characters, and Chinese ones where fonts draw them.

    All seeds of table 2 are tested on the same Chinese lines, with which those begin that are
    measured: of texts and of fonts that no net was trained on.
    """
    runs.check("figure4", options, plans, PARTS)
    parts = options.only or PARTS
    if "chinese" in options.only and options.scale != FULL:
        raise ValueError("--only chinese: shorter trainings than those of scale small read none")
    if "english" in parts:
        draw("figure4", options, runs.study(options.scale), lambda d: [*runs.test_batches(d)])
    if "chinese" in parts and options.scale == FULL:
        plan = chinese_study(options.scale)
        if not (missing := missing_fonts()):
            draw("figure4-chinese", options, plan, more_lines, chinese=True)
        elif options.only:
            raise ValueError(missing)
        else:
            print(f"{missing}; left out")
