"""What the script of every table does, in the order that its options ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from dctc.results.registry import Registry, runs_folder
from dctc.results.upload import LogMode
from dctc.studies.parallel import Outcome, report_problems
from dctc.studies.runner import options_parser
from dctc.studies.status import Plans, status_lines

Draw = Callable[[Registry, LogMode, Console], None]


def table_parser(description: str, scales: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser of what the script of every table takes.

    Args:
        description: What the script does.
        scales: Scales it knows.
    """
    parser = options_parser(description, scales)
    text = "train nothing; draw the tables of this folder of results"
    parser.add_argument("--from", dest="source", metavar="FOLDER", help=text)
    return parser


def run_script(
    options: argparse.Namespace,
    draw: Draw,
    plans: Callable[[], Plans],
    train: Callable[[Console], Mapping[str, Outcome]],
) -> None:
    """Draw the tables of a folder, or say what is missing, or train that and draw.

    Args:
        options: What :func:`table_parser` has parsed.
        draw: Prints the tables of a registry, writes and logs them.
        plans: Returns all runs, see :func:`dctc.studies.status.status_lines`.
        train: Trains what is missing; returns what became of each run.

    Raises:
        SystemExit: If a run failed.
    """
    console = Console()
    if options.source:
        draw(Registry(options.source), "off", console)
    elif options.status:
        print(*status_lines(plans()), sep="\n")
    else:
        outcomes = train(console)
        console.rule("Result")
        draw(Registry(runs_folder()), options.log, console)
        if report_problems(outcomes):
            raise SystemExit(1)
