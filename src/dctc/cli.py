"""The ``dctc`` command."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from dctc.text.characters import printed

TRAINING = ("fit", "validate", "test", "predict")
COMMANDS = {  # the module of each one's main
    **dict.fromkeys(TRAINING, "dctc.training.cli"),
    "compare": "dctc.studies.compare",
    "data": "dctc.data.archives.commands",
    "score": "dctc.results.score",
    "describe": "dctc.bench.describe",
    "export": "dctc.training.export_run",
    "bench": "dctc.bench",
}

USAGE = """usage: dctc COMMAND [OPTION...]

train and score (a LightningCLI; dctc COMMAND --help lists its options):
  fit        train a recogniser
  validate   score a checkpoint on the validation sets
  test       score a checkpoint on the test sets, into the registry
  predict    write predictions for the test sets, or for any images:
             dctc predict RUN --images FOLDER_OR_LMDB

  compare    train the arms of a study over its seeds, and compare them
  data       render, convert, list, verify and look at sets of word images
  score      accuracy, NED, CER and its parts of files of predictions
  describe   parameters, FLOPs, memory and speed of a net
  export     a trained net as ONNX or torch's exported program
  bench      time and memory of losses and models"""


def main(args: list[str] | None = None) -> None:
    """Run one command; bad input ends in one line, or in a traceback if DCTC_DEBUG is set."""
    args = sys.argv[1:] if args is None else args
    with one_line_errors("dctc"), printable_warnings(short=args[:1] == ["data"]):
        _run(args)


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Exit with a one-line message on ValueError and OSError; DCTC_DEBUG shows the traceback.

    Args:
        program: Beginning of the message.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get("DCTC_DEBUG"):
            raise
        said = printed(f"{program}: {error}\n(DCTC_DEBUG=1 shows where)", keep="\n")
        print(said, file=sys.stderr)
        raise SystemExit(1) from error


@contextmanager
def printable_warnings(short: bool) -> Iterator[None]:
    """Print warnings, which may name files and labels, without what would command a terminal.

    Args:
        short: Print those for users without the place in the code.
    """
    usual = warnings.formatwarning

    def formatted(message: Warning | str, category: type[Warning], *where: Any) -> str:
        text = printed(message, keep="\n")
        plain = short and issubclass(category, UserWarning)
        return f"dctc: {text}\n" if plain else usual(text, category, *where)

    warnings.formatwarning = formatted  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _run(args: list[str]) -> None:
    command = args[0] if args else "--help"
    if command in ("-h", "--help"):
        print(USAGE)
        return
    if command not in COMMANDS:
        print(f"dctc: no command {command!r}\n\n{USAGE}", file=sys.stderr)
        raise SystemExit(2)
    module = COMMANDS[command]
    if command == "predict" and any(arg.split("=")[0] == "--images" for arg in args):
        module = "dctc.training.predict"
    # a command imports only what it needs
    import_module(module).main(args if module == "dctc.training.cli" else args[1:])


if __name__ == "__main__":
    main()
