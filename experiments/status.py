"""Says of each target how many of its runs are done, and how long the missing ones take."""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

from dctc.cli import one_line_errors


def main() -> None:
    """Ask each script in turn, in one process, which is quicker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="smoke")
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    options = parser.parse_args()
    for target in options.targets:
        script = Path(__file__).with_name(f"{target}.py")
        sys.argv = [str(script), "--scale", options.scale, "--status"]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    with one_line_errors("status"):
        main()
