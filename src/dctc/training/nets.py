"""Load the net of a configuration or of a run, without data, trainer or loss."""

from __future__ import annotations

from argparse import ArgumentError
from pathlib import Path
from typing import Any, NamedTuple

from jsonargparse import ArgumentParser, get_loader
from torch import nn
from yaml import YAMLError

from dctc.data.catalogue import DOCUMENTS
from dctc.data.records.images import ImageSize, RotateTall
from dctc.models import Recognizer
from dctc.onnx_files import names_onnx
from dctc.text import CTCTokenizer, usual_protocol
from dctc.training.checkpoints import read_checkpoint
from dctc.training.image_format import image_options
from dctc.training.module import RecognizerModule
from dctc.training.parser import check_class_paths, explained

TOKENIZER = "dctc.text.CTCTokenizer"  # its charset is 36
LONGEST = 3200  # pixels, ours: the longest line that is read at its own width


class Loaded(NamedTuple):
    """A net and what its use requires.

    Attributes:
        net: On the CPU, in evaluation mode.
        tokenizer: Maps its classes to characters.
        protocol: Name of the protocol of its predictions.
        image: Channels, height and width of the images that the configuration trains on.
        keep_ratio: Whether those images keep their aspect ratio and are padded.
        rotate_tall: Where tall ones of them are turned: ``off``, ``left`` or ``right``.
        fill: Level of their padding; None is their mean colour.
    """

    net: Recognizer
    tokenizer: CTCTokenizer
    protocol: str
    image: tuple[int, int, int]
    keep_ratio: bool
    rotate_tall: RotateTall = "off"
    fill: int | None = None

    def reading_size(self, rotate_tall: RotateTall | None = None) -> ImageSize:
        """Return how any images are resized for the net.

        A net that fixes the format of its images reads a line longer than the usual width at the
        width that its height gives, up to 3,200 pixels; others squash it.

        Args:
            rotate_tall: In place of that of the configuration.
        """
        channels, height, width = self.image
        own = getattr(self.net, "image_format", None)
        least = width if own is not None and self.keep_ratio else None
        longest = width if least is None else max(width, LONGEST)
        turned = rotate_tall or self.rotate_tall
        return ImageSize(height, longest, channels == 1, self.keep_ratio, turned, self.fill, least)


def load_net(config: Path, checkpoint: Path | None = None) -> Loaded:
    """Build the net of a configuration, or a pretrained one by its name.

    Args:
        config: A fragment with a ``model.net``, a complete configuration, or the ``config.yaml``
            of a run. Without ``model.tokenizer`` the charset is ``36``; without ``data`` the images
            are 32x128. Or a name of :data:`dctc.onnx_files.PRETRAINED`, or an ONNX file, whose
            charset is its own.
        checkpoint: Weights to load, as a run has written them; None leaves those of the start.

    Raises:
        ValueError: If the file names no net or one that cannot be built, or the checkpoint is of
            another charset or another net, or is none at all.
        OSError: If a file cannot be read.
    """
    settings = _of_onnx(str(config)) if names_onnx(str(config)) else _read(config)
    model = settings.get("model")
    if not isinstance(model, dict) or "net" not in model:
        raise ValueError(f"{config}: it names no model.net; give the configuration of a model")
    check_class_paths({"model": model})
    try:
        tokens = _spelled_out(model.get("tokenizer") or TOKENIZER)
        tokenizer = _build("tokenizer", CTCTokenizer, tokens)
        chosen = _spelled_out(model["net"])
        if chosen["class_path"].endswith(".OnnxRecognizer"):
            chosen["init_args"]["charset"] = tokens["init_args"].get("charset", "36")
        else:
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
    data = settings.get("data") or {}
    given = {k: v for k, v in (data.get("init_args") or {}).items() if v is not None}
    form = image_options(chosen, data or {"init_args": {"keep_ratio": None}})
    found = {**form, **{k: v for k, v in given.items() if v is not False}}
    width = found["width"]
    if width is None:  # as DocumentDataModule has it
        width = DOCUMENTS[given["source"]].width
    channels = getattr(net, "in_chans", 1 if found.get("grayscale") else 3)
    return Loaded(
        net=module.net.eval(),
        tokenizer=tokenizer,
        protocol=protocol,
        image=(channels, found["height"], width),
        keep_ratio=bool(found.get("keep_ratio")),
        rotate_tall=found.get("rotate_tall") or "off",
        fill=found.get("fill"),
    )


def _of_onnx(source: str) -> dict[str, Any]:
    """Return the configuration of a pretrained recogniser with its own charset."""
    net = {"class_path": "dctc.models.OnnxRecognizer", "init_args": {"source": source}}
    tokenizer = {"class_path": TOKENIZER, "init_args": {"charset": source}}
    return {"model": {"net": net, "tokenizer": tokenizer}}


def _read(config: Path) -> dict[str, Any]:
    load: Any = get_loader("yaml")  # the reading of numbers that LightningCLI uses
    try:
        settings = load(config.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, YAMLError) as error:
        raise ValueError(f"{config}: not a YAML file ({_one_line(error)})") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{config}: not a configuration; it holds no sections")
    return settings


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
