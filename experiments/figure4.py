"""Figure 4: features of characters that are read for one another, with CTC and with DCTC.

Characters of rendered words, and at scale small Chinese look-alikes, of the nets of table 2.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from rich.console import Console

from dctc.arguments import names
from dctc.cli import one_line_errors
from dctc.data.archives.alphabet import write_common_characters
from dctc.data.loaders import eval_loader
from dctc.data.records.batch import Batch
from dctc.data.render.corpora import is_chinese
from dctc.metrics.confusion import Pair, confused_groups, substitutions
from dctc.studies.parallel import finish_all
from dctc.studies.runner import Finished, Run, options_parser
from dctc.studies.status import status_lines
from dctc.studies.study import Study
from dctc.training.results_writer import read_readings
from experiments.figures.clusters import cluster_arrays
from experiments.figures.clusters_figure import cohesion_table, draw_clusters
from experiments.studies import chinese_runs
from experiments.studies.figure_report import report_figure
from experiments.studies.figure_runs import SCALES, by_arm, load, study

GROUPS = 4
TINY_GROUPS = ["ao", "il"]  # a net of one step confuses nothing in particular
LIMIT = 100  # occurrences of a character
LEAST = 20  # of a Chinese one, twice the neighbours that are measured; most occur less often
CHINESE_LINES = 6000  # three times those that table 2 tests, as a Chinese character occurs seldom
PARTS = ("english", "chinese")


def read(finished: Sequence[Finished]) -> list[tuple[str, str]]:
    """Return label and prediction of the test words of all runs."""
    return [
        (outcome.label, outcome.prediction)
        for run in finished
        for outcome in read_readings(run.folder / "readings" / "rendered.tsv")
    ]


def groups(counts: Counter[Pair]) -> list[str]:
    """Return the characters that are confused most."""
    found = confused_groups(counts, GROUPS)
    if not found:
        raise ValueError("figure4: no character was read for another, so there are no clusters")
    return found


def look_alikes(readings: Sequence[tuple[str, str]], labels: Sequence[str]) -> Counter[Pair]:
    """Count the confusions of Chinese characters that occur often enough in some labels."""
    often = {c for c, n in Counter("".join(labels)).items() if n >= LEAST and is_chinese(c)}
    counts = substitutions(readings)
    return Counter({pair: n for pair, n in counts.items() if often.issuperset(pair)})


def batches(data: Any) -> list[Batch]:
    """Return the test words of a run."""
    data.setup("test")
    return list(data.test_dataloader()[0])


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
    finished: list[Finished],
    chosen: list[str],
    words: list[Batch],
) -> None:
    """Measure the clusters of all runs of a study, and draw those of its first seed."""
    loaded = [[load(run) for run in runs] for runs in by_arm(finished, len(plan.arms))]
    nets = [[one.net for one in arm] for arm in loaded]
    arrays = cluster_arrays(nets, loaded[0][0].tokenizer, words, chosen, LIMIT)
    arrays["arms"] = np.array([arm.title for arm in plan.arms])
    figure, table = draw_clusters(arrays), cohesion_table(arrays)
    report_figure(name, options.scale, options.log, figure, arrays, table)


def english(options: argparse.Namespace) -> None:
    """Train on rendered words, and draw the characters that the nets confuse."""
    plan = study(options.scale)
    finished = finish_all(plan.runs(), options.jobs, options.log)
    tiny = options.scale == "tiny"
    chosen = TINY_GROUPS if tiny else groups(substitutions(read(finished)))
    draw("figure4", options, plan, finished, chosen, batches(finished[0].data))


def chinese(options: argparse.Namespace) -> None:
    """Draw the Chinese characters that the nets of table 2 confuse; nothing without fonts.

    All seeds of table 2 are tested on the same lines, which these begin with: of texts and of fonts
    that no net was trained on.

    Raises:
        ValueError: If nothing else is to be drawn and there are no fonts that draw Chinese.
    """
    write_common_characters(chinese_runs.charset(), chinese_runs.CHARACTERS)
    if not chinese_runs.fonts_are_there(bool(options.only), Console()):
        return
    chinese_runs.lines(options.scale).write()
    plan = chinese_runs.study(options.scale)
    finished = finish_all(plan.runs(), options.jobs, options.log)
    lines = more_lines(finished[0].data, CHINESE_LINES)
    labels = [label for batch in lines for label in batch.label]
    chosen = groups(look_alikes(read(finished), labels))
    draw("figure4-chinese", options, plan, finished, chosen, lines)


def plans(scale: str) -> dict[str, list[Run]]:
    """Return all runs; those of Chinese lines are table 2's."""
    return {"figure4": study(scale).runs()}


def main() -> None:
    """Train, find the clusters, measure them, draw."""
    parser = options_parser(__doc__ or "", scales=tuple(SCALES))
    told = "draw these: english, chinese; the latter at scale small"
    parser.add_argument("--only", type=names, default=[], help=told)
    options = parser.parse_args()
    for part in options.only:
        if part not in PARTS:
            raise ValueError(f"--only {part}: there are {', '.join(PARTS)}")
    if "chinese" in options.only and options.scale != "small":
        raise ValueError("--only chinese: shorter trainings than those of scale small read none")
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        return
    parts = options.only or (PARTS if options.scale == "small" else PARTS[:1])
    if "english" in parts:
        english(options)
    if "chinese" in parts:
        chinese(options)


if __name__ == "__main__":
    with one_line_errors("figure4"):
        main()
