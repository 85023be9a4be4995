"""The ``dctc`` command."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import warnings
from argparse import ArgumentError
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

import dctc
from dctc import parsers
from dctc.text.characters import printed

TRAINING = ("fit", "validate", "test")
EVERY_OPTION = "--help=all"
COMMANDS = {  # the module of each one's main
    **dict.fromkeys(TRAINING, "dctc.training.cli"),
    "read": "dctc.reading.read",
    "predict": "dctc.reading.predict",
    "finetune": "dctc.training.finetune",
    "compare": "dctc.studies.compare",
    "data": "dctc.data.archives.commands",
    "score": "dctc.results.score",
    "describe": "dctc.bench.describe",
    "export": "dctc.reading.export_run",
    "bench": "dctc.bench",
}

USAGE = """usage: dctc COMMAND [OPTION...]

train and score (a LightningCLI: options are dotted paths, or YAML):
  fit        train a recogniser
  validate   score a checkpoint on the validation sets
  test       score a checkpoint on the test sets, into the registry

  read       print what images say: dctc read IMAGE_OR_FOLDER...
  predict    write what images say into a table:
             dctc predict MODEL --images FOLDER_OR_LMDB
  finetune   train a pretrained recogniser on images of one's own
  compare    train the arms of a study over its seeds, and compare them
  data       render, convert, list, verify and look at sets of word images
  score      accuracy, NED, CER and kinds of errors of predictions
  describe   parameters, FLOPs, memory and speed of a net
  export     a trained net as ONNX, torch's exported program or weights
  bench      time and memory of losses and models

dctc --version prints the version"""

TRAINING_HELP = f"""usage: dctc {{command}} --config FILE [--config FILE...] [--OPTION VALUE...]

{{what}}

Options are keys of YAML files, or dotted paths on the command line; later ones
override earlier ones. The repository's configurations for data, models, losses
and trainers may be combined.
  --config FILE          a file of options; any number of them
  --print_config         print the whole configuration that results, and stop
  --name NAME            of the run, and of its folder below $DCTC_RUNS or runs
  --arm NAME             name of the arm in tables (default: from the loss)
  --log MODE             W&B: offline (default), online or off
  --seed_everything N    of weights, data and dropout (default: 0)
  --ckpt_path FILE       {{checkpoint}}
  --init_from RUN        start with the weights of another run
  --model.net ...        the recogniser, such as dctc.models.TimmRecognizer
  --model.loss ...       the loss, such as dctc.losses.DCTCLoss
  --model.tokenizer ...  CTCTokenizer and its charset
  --model.protocol NAME  rule that labels and readings pass before comparison
  --model.optimizer ..., --model.schedule ..., --model.compile true
  --data CLASS           the data, such as dctc.data.english.EnglishDataModule,
                         and --data.init_args.train, val, test, batch_size ...
  --trainer.max_steps N, --trainer.accelerator cpu ... as of Lightning's Trainer

  --data.help CLASS      options of a class; so --model.net.help,
                         --model.loss.help and --trainer.callbacks.help
  {EVERY_OPTION}             every option of the trainer and of the model"""
WHAT = {
    "fit": (
        "Train a recogniser. A run of the same name and configuration goes on.",
        "go on from a checkpoint of another run\n  --restart              begin anew",
    ),
    "validate": ("Score a checkpoint on the validation sets.", "the checkpoint; needed"),
    "test": ("Score a checkpoint on the test sets, into the registry.", "the checkpoint; needed"),
}


def main(args: list[str] | None = None) -> None:
    """Run one command; bad input ends in one line, or in a traceback if DCTC_DEBUG is set."""
    args = sys.argv[1:] if args is None else args
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.isatty():  # it may know few characters
        sys.stdout.reconfigure(errors="backslashreplace")
    with (
        one_line_errors("dctc"),
        printable_warnings(short=args[:1] in (["data"], ["read"], ["predict"])),
    ):
        _run(args)


@contextmanager
def one_line_errors(program: str) -> Iterator[None]:
    """Exit with a one-line message on bad input; DCTC_DEBUG shows the traceback.

    Bad input raises ValueError or OSError, ArgumentError in a configuration that is built here, and
    RuntimeError in a process that loads data and has ended.

    Args:
        program: Beginning of the message.
    """
    try:
        yield
    except BrokenPipeError as error:  # what reads the output has ended, such as head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from error
    except KeyboardInterrupt:
        if os.environ.get("DCTC_DEBUG"):
            raise
        print(f"{program}: interrupted", file=sys.stderr, flush=True)
        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.raise_signal(signal.SIGINT)  # else a loop of the shell would go on
    except RuntimeError as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's; not imported for data commands
            _end(program, "the GPU has too little memory; lower the batch size", error)
        if not str(error).startswith("DataLoader worker"):
            raise
        reason = f"{str(error).split('. ')[0]}: memory is short, or an LMDB is damaged, which "
        _end(program, f"{reason}'dctc data verify' finds", error)
    except (ValueError, OSError, ArgumentError) as error:
        _end(program, error, error)


def _end(program: str, reason: object, error: Exception) -> NoReturn:
    """Print one line, and end with 1."""
    if os.environ.get("DCTC_DEBUG"):
        raise error
    print(printed(f"{program}: {reason}\n(DCTC_DEBUG=1 shows where)", keep="\n"), file=sys.stderr)
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
    asks = any(arg in ("-h", "--help") for arg in args)
    if command in ("-h", "--help"):
        print(USAGE)
        return
    if command == "--version":
        print(f"dctc {dctc.__version__}")
        return
    if command not in COMMANDS:
        print(f"dctc: no command {command!r}\n\n{USAGE}", file=sys.stderr)
        raise SystemExit(2)
    module = COMMANDS[command]
    if asks and command in TRAINING:
        what, checkpoint = WHAT[command]
        print(TRAINING_HELP.format(command=command, what=what, checkpoint=checkpoint))
        return
    given: Any = args[1:]
    if command in TRAINING:
        given = ["--help" if arg == EVERY_OPTION else arg for arg in args]
    elif parser := getattr(parsers, f"{command}_parser", None):
        given = parser().parse_args(given)  # help and mistakes come before anything is imported
    # a command imports only what it needs
    reads = module.startswith("dctc.reading.")
    # a damaged page of an LMDB ends the process that reads it; say where, at least
    faulthandler.enable(sys.__stderr__ or 2, all_threads=False)
    with import_module("dctc.training.machine").without_wandb() if reads else nullcontext():
        run = import_module(module).main
    run(given)


if __name__ == "__main__":
    main()
