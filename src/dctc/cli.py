"""The ``dctc`` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRAINING = ("fit", "validate", "test", "predict")

USAGE = """usage: dctc COMMAND [OPTION...]

train and score (a LightningCLI; dctc COMMAND --help lists its options):
  fit        train a recogniser
  validate   score a checkpoint on the validation sets
  test       score a checkpoint on the test sets, into the registry
  predict    write the readings of the test sets to a file, or those of any images:
             dctc predict RUN --images FOLDER_OR_LMDB

  data       render, convert, list, verify and look at sets of word images
  score      accuracy, NED, CER and its parts of files of predictions
  describe   parameters, FLOPs, memory and speed of a net
  export     a trained net as ONNX or torch's exported program
  bench      time and memory of losses and models"""


def main(args: list[str] | None = None) -> None:
    """Run one command; bad input ends in one line, and with DCTC_DEBUG set in a traceback."""
    with one_line_errors("dctc"):
        _run(sys.argv[1:] if args is None else args)


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """End the program with one line where its input is bad, or with DCTC_DEBUG in a traceback.

    Args:
        program: What the line begins with.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get("DCTC_DEBUG"):
            raise
        print(f"{program}: {error}\n(DCTC_DEBUG=1 shows where)", file=sys.stderr)
        raise SystemExit(1) from error


def _run(args: list[str]) -> None:
    """Run one command; each loads only what it needs."""
    command = args[0] if args else "--help"
    if command in ("-h", "--help"):
        print(USAGE)
    elif command == "predict" and any(arg.split("=")[0] == "--images" for arg in args):
        from dctc.training.predict import main as predict

        predict(args[1:])
    elif command in TRAINING:
        from dctc.training.cli import main as train

        train(args)
    elif command == "data":
        from dctc.data.archives.commands import main as data

        data(args[1:])
    elif command == "score":
        from dctc.results.score import main as score

        score(args[1:])
    elif command == "describe":
        from dctc.bench.describe import main as describe

        describe(args[1:])
    elif command == "export":
        from dctc.training.export import main as export

        export(args[1:])
    elif command == "bench":
        from dctc.bench import main as bench

        bench(args[1:])
    else:
        print(f"dctc: no command {command!r}\n\n{USAGE}", file=sys.stderr)
        raise SystemExit(2)


if __name__ == "__main__":
    main()
