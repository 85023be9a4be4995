"""``dctc data``: make, convert, list, verify and look at sets of labelled word images."""

from __future__ import annotations

import argparse
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dctc.data.archives.commands.read import fonts, list_, show, stats, verify
from dctc.data.archives.commands.write import alphabet, convert, render

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
    with _one_line_warnings():
        VERBS[name](argparse.ArgumentParser(f"dctc data {name}", description=description), args[1:])


@contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Print warnings as lines for the user, without the place in the code."""
    usual = warnings.formatwarning

    def formatted(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        plain = issubclass(category, UserWarning)
        return f"dctc: {message}\n" if plain else usual(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _summary(verb: Callable[..., None]) -> str:
    return (verb.__doc__ or "").partition("\n")[0].rstrip(".").replace("``", "")
