"""Run a script of this folder: ``python -m experiments table1 --scale small``."""

from __future__ import annotations

import sys
from importlib import import_module

from dctc.cli import one_line_errors
from experiments.parsers import SCRIPTS, parser_of


def main(args: list[str]) -> None:
    """Run a script; help and mistakes come before its imports, which take a while."""
    if not args or args[0] not in SCRIPTS:
        asks = args[:1] in (["-h"], ["--help"])
        print(f"usage: python -m experiments {{{','.join(SCRIPTS)}}} [OPTION...]")
        raise SystemExit(0 if asks else 2)
    options = parser_of(args[0]).parse_args(args[1:])
    with one_line_errors(args[0]):
        import_module(f"experiments.{args[0]}").main(options)


if __name__ == "__main__":
    main(sys.argv[1:])
