"""Read a configuration and check what it names: classes, quoted text, images that a net needs."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, get_loader, set_parsing_settings
from yaml import YAMLError

from dctc.data.catalogue import DOCUMENTS
from dctc.data.records.image_size import HEIGHT, WIDTH

if TYPE_CHECKING:  # a configuration names the nets; timm imports wandb, which may be off
    from dctc.models import ImageFormat

# What a configuration names is built, so it may not name what runs commands or removes files; and
# a class below an argument of any type is not built.
set_parsing_settings(import_path_denylist=[], instantiate_subclass_spec_in_any=False)


def explained(message: str) -> str:
    """Add to an error about a number or boolean in place of text what to do about it."""
    cure = 'Text that YAML takes for a number or for true or false needs quotes: "36"'
    if "Expected a <class 'str'>" not in message or cure in message:
        return message
    return f"{message}\n{cure}"


def check_class_paths(config: Any) -> None:
    """Check that each ``class_path`` of a configuration, as plain values, names a class.

    jsonargparse calls any function that is named where a callable is expected, such as
    ``os.system``.

    Raises:
        ValueError: If one names something else.
    """
    for where, path in _class_paths(config):
        found = named(path)
        if found is not None and not inspect.isclass(found):
            raise ValueError(f"{where}: class_path {path} is no class; name a class")


def _class_paths(config: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the value of every ``class_path`` of a part of a configuration."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if str(key).split(".")[-1] == "class_path":  # jsonargparse takes dotted keys too
                yield where, str(value)
            yield from _class_paths(value, f"{where}.{key}".lstrip("."))
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _class_paths(value, where)


def named(path: str) -> Any:
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


def build(key: str, kind: type, chosen: Mapping[str, Any]) -> Any:
    """Return an object of a class that a configuration names, with its arguments.

    Args:
        key: Its name in messages, such as ``net``.
        kind: Class that it must be of.
        chosen: ``class_path`` and ``init_args``.

    Raises:
        ArgumentError: If the class or an argument is wrong.
    """
    parser = ArgumentParser(exit_on_error=False)
    action: Any = parser.add_argument(f"--{key}", type=kind)
    action.sub_add_kwargs = {"fail_untyped": False}  # as Lightning's parser
    return parser.instantiate(parser.parse_object({key: chosen}))[key]


TOKENIZER = "dctc.text.CTCTokenizer"  # its charset is 36
# What a data module may say of images
IMAGES = ("height", "width", "grayscale", "keep_ratio", "fill", "rotate_tall")
_OPTIONS = ("height", "width", "keep_ratio", "fill", "grayscale")


def image_options(net: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a data module is to be given of :data:`_OPTIONS` in place of None.

    A net that was trained elsewhere fixes height, aspect ratio and padding of its images, see
    :class:`~dctc.models.ImageFormat`. Their width is the user's choice, unless the net fixes it.
    By default it is the data module's usual width, scaled to the net's height, and if images are
    padded at least the net's own.

    Args:
        net: ``class_path`` and ``init_args`` of the net.
        data: The same of the data module.

    Raises:
        ValueError: If an option of the data is not what the net needs; it names both.
    """
    given = dict(data.get("init_args") or {})
    source = given.get("source")
    usual = getattr(named(data.get("class_path", "")), "usual_width", WIDTH)
    form = image_format(net)
    if form is None:
        of_source = isinstance(source, str) and source in DOCUMENTS  # it knows its width
        found = {"height": HEIGHT, "width": None if of_source else usual, "keep_ratio": False}
    else:
        if isinstance(source, str) and source in DOCUMENTS:
            usual = DOCUMENTS[source].width
        width = usual * form.height // HEIGHT
        if form.fixed_width:
            width = form.width
        elif form.keep_ratio and "keep_ratio" in given:
            width = max(width, form.width)
        found = {**form._asdict(), "width": width, "grayscale": form.channels == 1}
        for name in _OPTIONS:
            value = given.get(name)
            fixed = (name != "width" or form.fixed_width) and value != found[name]
            if fixed and value is not None and not (name == "grayscale" and value is False):
                raise ValueError(
                    f"data.init_args.{name} {value}: the net {net['class_path']} needs "
                    f"{found[name]}; leave it out"
                )
    return {k: found[k] for k in _OPTIONS if k in found and given.get(k) in (None, False)}


def image_format(net: Mapping[str, Any]) -> ImageFormat | None:
    """Return the format of the images of a net; None if any will do."""
    find = getattr(named(net["class_path"]), "image_format_of", None)
    form: ImageFormat | None = find(net.get("init_args") or {}) if find else None
    return form


def find_own_modules() -> None:
    """Let a configuration name a loss or net in a file of the current folder."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that it hides nothing


def check_own(config: Path) -> None:
    """Refuse a configuration of strangers that names a class outside this library.

    Raises:
        ValueError: If net or tokenizer, or anything in them, is such a class.
    """
    model = read_settings(config)["model"]
    for part in ("net", "tokenizer"):
        for _, chosen in _class_paths(model[part]):
            if not chosen.startswith("dctc."):
                raise ValueError(f"{config}: {part} {chosen} is none of dctc; it is not loaded")


def read_settings(config: Path) -> dict[str, Any]:
    """Read the configuration of a net, with class_path and init_args of net, tokenizer and data.

    Raises:
        ValueError: If it is no configuration, or names no net.
        OSError: If it cannot be read.
    """
    load: Any = get_loader("yaml")  # the reading of numbers that LightningCLI uses
    try:
        settings = load(config.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, YAMLError) as error:
        raise ValueError(f"{config}: not a YAML file ({one_line(error)})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{config}: not a configuration; it holds no sections")
    model: Any = settings.get("model")
    net = _spelled_out(model.get("net") or "", config) if isinstance(model, dict) else {}
    if not net.get("class_path"):
        raise ValueError(f"{config}: it names no model.net; give the configuration of a model")
    tokenizer = _spelled_out(model.get("tokenizer") or TOKENIZER, config)
    data = _spelled_out(settings.get("data") or {"init_args": {"keep_ratio": None}}, config)
    return {**settings, "model": {**model, "net": net, "tokenizer": tokenizer}, "data": data}


def _spelled_out(chosen: Any, config: Path) -> dict[str, Any]:
    """Return a chosen class as ``class_path`` and ``init_args``; it may be the path alone."""
    if not isinstance(chosen, dict):
        chosen = {"class_path": str(chosen)}
    if not isinstance(path := chosen.get("class_path", ""), str):
        raise ValueError(f"{config}: class_path {path!r} is no class; name a class")
    arguments = chosen.get("init_args") or {}
    if not isinstance(arguments, dict):
        raise ValueError(f"{config}: init_args: {arguments!r} is not names with values")
    return {**chosen, "init_args": dict(arguments)}


def one_line(error: Exception | str) -> str:
    """Return a message without its line breaks."""
    return " ".join(str(error).split())
