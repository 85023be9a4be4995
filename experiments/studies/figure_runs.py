"""Trainings on rendered words that figures 1, 3 and 4 share, and the files of a figure's script.

Paths are relative to the root of the repository, as they are in ``experiments``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console

from dctc.data.records.batch import Batch
from dctc.results.registry import runs_folder
from dctc.results.tables import Table
from dctc.results.upload import LogMode, upload
from dctc.studies.parallel import finish_all
from dctc.studies.runner import DataFactory, Finished, Run, options_parser
from dctc.studies.status import status_lines
from dctc.studies.study import Arm, Study
from dctc.text import CTCTokenizer
from dctc.training.nets import load_net
from dctc.training.run_folder import FINAL
from experiments.figures import Arrays
from experiments.figures.published import save_arrays, save_figure

CONFIGS = "experiments/configs"
CTC = Arm("ctc", "CTC", ("--trainer.callbacks.init_args.distill_weight=0.0",))
DCTC = Arm("dctc", "DCTC")
ATTENTION = Arm(
    "attention",
    "Attention",
    (
        f"--config={CONFIGS}/model/attention_small_resnet.yaml",
        f"--config={CONFIGS}/loss/character_cross_entropy.yaml",
        "--model.optimizer.init_args.lr=0.002",  # that of trainer/cpu.yaml
        "--trainer.callbacks=[]",
    ),
)

DATA = "--data.init_args"
SCALES: dict[str, tuple[str, ...]] = {
    "tiny": (
        f"{DATA}.epoch_size=4",
        f"{DATA}.val_size=4",
        f"{DATA}.test_size=96",
        f"--config={CONFIGS}/trainer/tiny.yaml",
    ),
    "smoke": (
        f"{DATA}.batch_size=16",
        f"{DATA}.test_size=1000",
        "--trainer.max_steps=1000",
        "--trainer.val_check_interval=500",
    ),
    "small": (),
}
SEEDS = {"tiny": (0,), "smoke": (0,), "small": (0, 1, 2)}  # where figures average over them


def study(
    scale: str,
    arms: Sequence[Arm] = (CTC, DCTC),
    seeds: Sequence[int] | None = None,
    tests: Sequence[DataFactory] = (),
) -> Study:
    """Return the trainings of a figure.

    Args:
        scale: One of :data:`SCALES`.
        arms: What is compared.
        seeds: Seeds of each arm; None is those of :data:`SEEDS`.
        tests: Further test data of every run.
    """
    options = (f"--config={CONFIGS}/figures.yaml", *SCALES[scale])
    chosen = SEEDS[scale] if seeds is None else tuple(seeds)
    return Study(f"figures-{scale}", tuple(arms), chosen, options, tuple(tests))


def parse(
    description: str, plans: Callable[[str], dict[str, list[Run]]], only: Sequence[str] = ()
) -> argparse.Namespace:
    """Parse the command line of a figure's script; ``--status`` prints it and exits.

    Args:
        description: What the script does.
        plans: Its runs, by scale.
        only: Parts of which ``--only`` names one.
    """
    parser = options_parser(description, scales=tuple(SCALES))
    if only:
        parser.add_argument("--only", choices=only, help="draw this part alone")
    options = parser.parse_args()
    if options.status:
        print(*status_lines(plans(options.scale)), sep="\n")
        raise SystemExit(0)
    return options


def finish(plan: Study, options: argparse.Namespace) -> list[list[Finished]]:
    """Train and test what is missing; return the runs of each arm by seed."""
    finished = finish_all(plan.runs(), options.jobs, options.log)
    return [finished[i :: len(plan.arms)] for i in range(len(plan.arms))]


def load_nets(arms: Sequence[Sequence[Finished]]) -> tuple[list[list[Any]], CTCTokenizer]:
    """Load the trained nets of each arm by seed, and their tokenizer."""
    loaded = [
        [load_net(run.folder / "config.yaml", run.folder / "checkpoints" / FINAL) for run in runs]
        for runs in arms
    ]
    return [[one.net for one in row] for row in loaded], loaded[0][0].tokenizer


def test_batches(data: Any, most: int | None = None) -> Iterable[Batch]:
    """Yield the batches of the first test set of a DataModule, ``most`` at most."""
    data.setup("test")
    return islice(data.test_dataloader()[0], most)


def report_figure(
    name: str,
    scale: str,
    log: LogMode,
    figure: Figure,
    arrays: Arrays | None = None,
    table: Table | None = None,
    unsent: Mapping[str, Figure] | None = None,
) -> list[Path]:
    """Write a figure with its arrays and table, print the table and the files, log both.

    Files go to ``<runs>/<name>``, at other scales than ``small`` to ``<runs>/<name>-<scale>``.

    Args:
        name: Such as ``figure1``.
        scale: The scale of its trainings; ``small`` too if nothing is trained.
        log: W&B mode.
        figure: PNG and SVG are written; the PNG is sent.
        arrays: What it was drawn from.
        table: Its numbers.
        unsent: Further figures by name, which are written but never leave this machine.

    Returns:
        The files.
    """
    target = name if scale == "small" else f"{name}-{scale}"
    out = runs_folder() / target
    endings = (".png", ".svg")
    sent = [save_figure(figure, out / f"{name}{ending}", arrays) for ending in endings]
    kept = [
        save_figure(drawn, out / f"{stem}{ending}")
        for stem, drawn in (unsent or {}).items()
        for ending in endings
    ]
    if arrays is not None:
        kept.append(save_arrays(arrays, out / f"{name}.npz"))
    console = Console()
    if table is not None:
        table.print(console)
        kept += table.write(out, "table")
    upload(target, log, {} if table is None else {"table": table}, sent)
    for file in [*sent, *kept]:
        console.print(f"written to {file}", highlight=False, soft_wrap=True)
    return [*sent, *kept]
