"""Command-line parser of a run: text in YAML stays text, and a class path names a class."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import reduce
from importlib import import_module
from operator import attrgetter, or_
from typing import Any, NoReturn, get_args

import torch
import yaml
from jsonargparse import set_dumper, set_parsing_settings
from jsonargparse.typing import register_type
from pytorch_lightning.cli import LightningArgumentParser

# What a configuration names is built, so it may not name what runs commands or removes files; and
# a class below an argument of any type is not built.
set_parsing_settings(import_path_denylist=[], instantiate_subclass_spec_in_any=False)
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


def explained(message: str) -> str:
    """Add to an error about a number or boolean in place of text what to do about it."""
    cure = 'Text that YAML takes for a number or for true or false needs quotes: "36"'
    if "Expected a <class 'str'>" not in message or cure in message:
        return message
    return f"{message}\n{cure}"


def check_class_paths(config: Any, where: str = "") -> None:
    """Check that each ``class_path`` of a configuration names a class.

    jsonargparse calls any function that is named where a callable is expected, such as
    ``os.system``.

    Args:
        config: A configuration or a part of one, as plain values.
        where: Its place in the whole.

    Raises:
        ValueError: If one names something else.
    """
    for place, path in _class_paths(config, where):
        found = _named(str(path))
        if found is not None and not inspect.isclass(found):
            raise ValueError(f"{place}: class_path {path} is no class; name a class")


def _named(path: str) -> Any:
    """Return what a path names, in a module or in something of one; None if jsonargparse fails."""
    module, name = path, ""
    for _ in range(2):  # as deep as jsonargparse looks
        module, _, last = module.rpartition(".")
        name = f"{last}.{name}" if name else last
        try:
            return attrgetter(name)(import_module(module))
        except (ImportError, AttributeError, ValueError):
            continue
    return None


def _class_paths(config: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(config, Mapping):
        if "class_path" in config:
            yield where, config["class_path"]
        for key, value in config.items():
            yield from _class_paths(value, f"{where}.{key}".lstrip("."))
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _class_paths(value, where)
