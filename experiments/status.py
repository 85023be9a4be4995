"""Prints how many runs of each target are done, and how long the missing ones take."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

from dctc.cli import one_line_errors
from dctc.studies.status import status_lines


def main() -> None:
    """Ask the modules of the targets for their runs, in one process, which is quicker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("targets", nargs="+", help="as of ./reproduce.sh: table1 figure3 ...")
    options = parser.parse_args()
    plans: dict[str, Sequence[Any] | str] = {}
    for target in options.targets:
        module = target.removesuffix("-english")  # table3 has its runs too
        plans |= importlib.import_module(f"experiments.{module}").plans(options.scale)
    print(*status_lines(plans), sep="\n")


if __name__ == "__main__":
    with one_line_errors("status"):
        main()
