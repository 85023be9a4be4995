"""Command-line parser of a run: text in YAML stays text, and numbers stay whole."""

from __future__ import annotations

import os
import re
import textwrap
from argparse import ArgumentTypeError
from functools import reduce
from operator import or_
from typing import Any, Literal, NoReturn, get_args

import torch
import yaml
from jsonargparse import set_dumper
from jsonargparse.typing import register_type
from pytorch_lightning.cli import LightningArgumentParser

from dctc.results.upload import LogMode
from dctc.runs.configuration import explained
from dctc.text import Charset
from dctc.text.characters import printed

register_type(torch.device)  # an argument of Lightning's averages of weights


class _Dumper(yaml.SafeDumper):
    """Quotes text such as 695e0514 too, which jsonargparse reads as a number, and PyYAML not."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?\d[\d_]*(?:\.[\d_]*)?e[-+]?\d+$", re.IGNORECASE),
    list("-+0123456789"),
)
set_dumper(
    "yaml",
    lambda data: yaml.dump(
        data, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False
    ),
)


class RunParser(LightningArgumentParser):
    """Parser whose errors name the cure, and that reads 1 as a number of batches, never as 1.0.

    Its help lists the modules of this library, not the hundreds of torch's.
    """

    def format_help(self, formatter: Any = None) -> str:
        """Return the help."""
        said = super().format_help(formatter)
        return re.sub(r",\s+known\s+subclasses:([^)]*)\)", _of_this_library, said)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exit with 2, without 60 lines of usage, or raise ArgumentError; the cure is added.

        With DCTC_DEBUG the error itself is raised.
        """
        if ex is not None and os.environ.get("DCTC_DEBUG"):
            raise ex
        if self.exit_on_error:
            name = (getattr(ex, "subcommand_parser", None) or self).prog.replace(" [options]", "")
            said = printed(explained(message), keep="\n")
            self.exit(2, f"{name}: {said}\n({name} --help shows the options)\n")
        super().error(explained(message), ex)

    def add_lightning_class_args(self, *args: Any, **options: Any) -> list[str]:
        """Add arguments; those of an int or a float try the int first.

        typing caches unions, and takes ``int | float`` and ``float | int`` for the same.
        """
        added: list[str] = super().add_lightning_class_args(*args, **options)
        action: Any
        for action in self._actions:
            kinds = get_args(getattr(action, "_typehint", None))
            if int in kinds and float in kinds:
                action._typehint = reduce(or_, sorted(kinds, key=lambda kind: kind is not int))
        return added

    def add_run_options(self, restart: bool) -> None:
        """Add name, logging and arm; link the arguments that follow from others."""
        self.add_argument(
            "--name", type=str, default="run", help="Name of the run and of its folder."
        )
        self.add_argument(
            "--log",
            type=_log_mode,
            default="offline",
            metavar="{offline,online,off}",
            help="W&B: offline, online, or off. Metrics go to a CSV file in any case.",
        )
        self.add_argument(
            "--arm",
            type=str,
            default="",
            help="Name of the arm in tables; default: from the loss.",
        )
        self.add_argument(
            "--init_from",
            type=str | None,
            default=None,
            metavar="RUN_OR_CKPT",
            help="Start with another run's weights; the last layer's are matched by character.",
        )
        self.add_argument(
            "--init_policy",
            type=Literal["keep", "subset", "union", "new"],
            default="keep",
            help="Charset beside the other run's: keep (the same), subset, union, or new (any).",
        )
        if restart:
            self.add_argument(
                "--restart",
                action="store_true",
                help="Begin anew; a run of this name and configuration goes on otherwise.",
            )
        charset = "model.tokenizer.init_args.charset"
        self.link_arguments(charset, "data.init_args.charset")
        self.link_arguments(charset, "model.net.init_args.num_classes", num_classes)
        self.link_arguments(charset, "model.net.init_args.charset")
        self.link_arguments("model.protocol", "data.init_args.protocol")
        self.link_arguments("seed_everything", "data.init_args.seed")


def num_classes(charset: str) -> int:
    """Return the number of classes of a charset: its characters and the blank."""
    return len(Charset.load(charset)) + 1


class _WrongMode(ArgumentTypeError, ValueError):
    """An error whose message both argparse, for an option, and jsonargparse, for YAML, print."""


def _log_mode(given: Any) -> LogMode:
    mode: LogMode = "off" if given is False else given  # YAML reads a bare off as false
    if mode not in get_args(LogMode):
        raise _WrongMode(f"{given!r} is not one of {', '.join(get_args(LogMode))}")
    return mode


def _of_this_library(listed: re.Match[str]) -> str:
    paths = "".join(listed[1].split()).split(",")
    if "torch.nn.Module" not in paths:
        return listed[0]
    text = f"here: {', '.join(path for path in paths if path.startswith('dctc.'))})"
    indent = 24 * " "
    return ",\n" + textwrap.fill(text, 78, initial_indent=indent, subsequent_indent=indent)
