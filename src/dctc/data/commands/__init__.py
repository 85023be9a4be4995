"""``dctc data``: make, convert, list, verify and look at sets of labelled word images."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable

from dctc.data.commands.read import fonts, list_, show, stats, verify
from dctc.data.commands.write import alphabet, convert, render

# Each adds its arguments to a parser of its own, parses them and runs; it loads what it needs then.
VERBS: dict[str, Callable[[argparse.ArgumentParser, list[str]], None]] = {
    "render": render,
    "convert": convert,
    "alphabet": alphabet,
    "list": list_,
    "verify": verify,
    "stats": stats,
    "show": show,
    "fonts": fonts,
}
_ROOT = """The data root is --root, else the environment variable DCTC_DATA, else ./data. LMDBs as
clovaai, PARSeq and the Chinese benchmark publish them are used as they are."""


def main(args: list[str] | None = None) -> None:
    """Run one verb.

    Args:
        args: Command line without ``dctc data``; None takes that of the process.
    """
    args = sys.argv[1:] if args is None else args
    listed = "\n".join(f"  {name:<10} {_summary(verb)}" for name, verb in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="dctc data",
        description=__doc__,
        epilog=f"verbs (dctc data VERB --help lists the options of one):\n{listed}\n\n{_ROOT}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS, metavar="VERB", help="what to do")
    name = parser.parse_args(args[:1]).verb
    description = " ".join((inspect.getdoc(VERBS[name]) or "").partition("\n\nArgs:")[0].split())
    VERBS[name](argparse.ArgumentParser(f"dctc data {name}", description=description), args[1:])


def _summary(verb: Callable[..., None]) -> str:
    return (verb.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "")
