"""Load the net of a configuration or of a run, without data, trainer or loss."""

from __future__ import annotations

import inspect
from argparse import ArgumentError
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import ArgumentParser, get_loader
from torch import nn
from yaml import YAMLError

from dctc.data.catalogue import DOCUMENTS
from dctc.data.records.images import RotateTall
from dctc.models import Recognizer
from dctc.text import CTCTokenizer, usual_protocol
from dctc.training.module import RecognizerModule
from dctc.training.parser import check_class_paths, explained
from dctc.training.run_folder import read_checkpoint

TOKENIZER = "dctc.text.CTCTokenizer"  # its charset is 36
HEIGHT, WIDTH = 32, 128  # the DataModules' defaults


class Loaded(NamedTuple):
    """A net and what its use requires.

    Attributes:
        net: On the CPU, in evaluation mode.
        tokenizer: Maps its classes to characters.
        protocol: Name of the protocol of its predictions.
        image: Channels, height and width of the images that the configuration trains on.
        keep_ratio: Whether those images keep their aspect ratio and are padded.
        rotate_tall: Where tall ones of them are turned: ``off``, ``left`` or ``right``.
    """

    net: Recognizer
    tokenizer: CTCTokenizer
    protocol: str
    image: tuple[int, int, int]
    keep_ratio: bool
    rotate_tall: RotateTall = "off"


def load_net(config: Path, checkpoint: Path | None = None) -> Loaded:
    """Build the net of a configuration.

    Args:
        config: A fragment with a ``model.net``, a complete configuration, or the ``config.yaml``
            of a run. Without ``model.tokenizer`` the charset is ``36``; without ``data`` the images
            are 32x128.
        checkpoint: Weights to load, as a run has written them; None leaves those of the start.

    Raises:
        ValueError: If the file names no net or one that cannot be built, or the checkpoint is of
            another charset or another net, or is none at all.
        OSError: If a file cannot be read.
    """
    settings = _read(config)
    model = settings.get("model")
    if not isinstance(model, dict) or "net" not in model:
        raise ValueError(f"{config}: it names no model.net; give the configuration of a model")
    check_class_paths({"model": model})
    try:
        tokenizer = _build(
            "tokenizer", CTCTokenizer, _spelled_out(model.get("tokenizer") or TOKENIZER)
        )
        chosen = _spelled_out(model["net"])
        chosen["init_args"]["num_classes"] = tokenizer.num_classes
        if checkpoint is not None and "pretrained" in chosen["init_args"]:
            chosen["init_args"]["pretrained"] = False  # the checkpoint brings all weights
        net = _build("net", nn.Module, chosen)
    except ArgumentError as error:
        raise ValueError(f"{config}: {_one_line(explained(str(error)))}") from error
    protocol = model.get("protocol") or usual_protocol(tokenizer.charset)
    # the module checks that the classes fit, the protocol exists, and a checkpoint's charset
    module = RecognizerModule(net, nn.Identity(), tokenizer, protocol=protocol)
    if checkpoint is not None:
        _load(module, checkpoint)
    data = _images(settings.get("data") or {})
    channels = getattr(net, "in_chans", 1 if data.get("grayscale") else 3)
    image = (channels, data["height"] or HEIGHT, data["width"] or WIDTH)
    keep_ratio = bool(data.get("keep_ratio"))
    turned: RotateTall = data.get("rotate_tall") or "off"
    return Loaded(module.net.eval(), tokenizer, protocol, image, keep_ratio, turned)


def _read(config: Path) -> dict[str, Any]:
    load: Any = get_loader("yaml")  # the reading of numbers that LightningCLI uses
    try:
        settings = load(config.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, YAMLError) as error:
        raise ValueError(f"{config}: not a YAML file ({_one_line(error)})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{config}: not a configuration; it holds no sections")
    return settings


def _images(data: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a data module that say what its images are, with its defaults."""
    found: dict[str, Any] = {"height": None, "width": None, "source": None}
    data_module = _imported(data["class_path"]) if "class_path" in data else None
    if data_module is not None:  # else a model alone, or data that is not installed here
        parameters = inspect.signature(data_module).parameters
        found |= {name: parameters[name].default for name in found if name in parameters}
    found |= {k: v for k, v in (data.get("init_args") or {}).items() if v is not None}
    if found["width"] is None and found["source"] in DOCUMENTS:  # as DocumentDataModule has it
        found["width"] = DOCUMENTS[found["source"]].width
    return found


def _imported(path: str) -> Any:
    """Return a class by its path; None if there is none."""
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name, None) if module else None
    except ModuleNotFoundError:
        return None


def _spelled_out(chosen: Any) -> dict[str, Any]:
    """Return a chosen class as ``class_path`` and ``init_args``; it may be the path alone."""
    if not isinstance(chosen, dict):
        chosen = {"class_path": str(chosen)}
    return {**chosen, "init_args": dict(chosen.get("init_args") or {})}


def _build(key: str, kind: type, chosen: dict[str, Any]) -> Any:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{key}", type=kind)
    return parser.instantiate(parser.parse_object({key: chosen}))[key]


def _load(module: RecognizerModule, checkpoint: Path) -> None:
    stored = read_checkpoint(checkpoint)
    try:
        module.on_load_checkpoint(stored)
        weights = {
            name.removeprefix("net."): value
            for name, value in stored["state_dict"].items()
            if name.startswith("net.")
        }
        module.net.load_state_dict(weights)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{checkpoint}: {_one_line(error)}") from error


def _one_line(error: Exception | str) -> str:
    return " ".join(str(error).split())
