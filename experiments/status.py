"""Says of each target how many of its runs are done, and how long the missing ones take."""

from __future__ import annotations

import argparse
import runpy
from pathlib import Path

from dctc.cli import one_line_errors
from dctc.studies.status import status_lines

SCRIPTS = ("figure2", "figure1", "figure3", "figure4", "table1", "table2", "table3", "ablations")


def main() -> None:
    """Ask each script for its runs, in one process, which is quicker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="smoke")
    options = parser.parse_args()
    plans = {}
    for name in SCRIPTS:
        script = runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))
        plans |= script["plans"](options.scale)
    print(*status_lines(plans), sep="\n")


if __name__ == "__main__":
    with one_line_errors("status"):
        main()
