"""Checks of what a configuration names: a class path names a class, and text is quoted."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any

from jsonargparse import set_parsing_settings

# What a configuration names is built, so it may not name what runs commands or removes files; and
# a class below an argument of any type is not built.
set_parsing_settings(import_path_denylist=[], instantiate_subclass_spec_in_any=False)


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
