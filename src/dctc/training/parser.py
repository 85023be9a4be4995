"""Command-line parser of a run: text in YAML stays text, and numbers stay whole."""

from __future__ import annotations

import re
import textwrap
from functools import reduce
from operator import or_
from typing import Any, NoReturn, get_args

import torch
import yaml
from jsonargparse import set_dumper
from jsonargparse.typing import register_type
from pytorch_lightning.cli import LightningArgumentParser

from dctc.training.configuration import explained

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
        """Exit with 2, or raise ArgumentError, with the cure added."""
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


def _of_this_library(listed: re.Match[str]) -> str:
    paths = "".join(listed[1].split()).split(",")
    if "torch.nn.Module" not in paths:
        return listed[0]
    text = f"here: {', '.join(path for path in paths if path.startswith('dctc.'))})"
    indent = 24 * " "
    return ",\n" + textwrap.fill(text, 78, initial_indent=indent, subsequent_indent=indent)
