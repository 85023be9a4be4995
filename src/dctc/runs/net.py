"""Load the net of a configuration or of a run, without data, trainer or loss."""

from __future__ import annotations

from argparse import ArgumentError
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from dctc.data.catalogue import DOCUMENTS
from dctc.data.records.image_size import ImageSize, RotateTall
from dctc.models import ImageFormat, OnnxRecognizer, Recognizer
from dctc.models.onnx_head import check_policy, new_head
from dctc.onnx_files import names_onnx, read_onnx
from dctc.runs.configuration import (
    TOKENIZER,
    build,
    check_class_paths,
    explained,
    find_own_modules,
    image_options,
    one_line,
    read_settings,
)
from dctc.runs.folder import (
    charset_beside,
    check_charset,
    known_path,
    read_checkpoint,
    weights_file,
    weights_in,
)
from dctc.text import PROTOCOLS, CTCTokenizer, get_protocol, usual_protocol

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
        settings: Its ``model`` section: net, tokenizer and protocol.
        train_protocol: Name of the protocol of its training labels.
    """

    net: Recognizer
    tokenizer: CTCTokenizer
    protocol: str
    image: tuple[int, int, int]
    keep_ratio: bool
    rotate_tall: RotateTall = "off"
    fill: int | None = None
    settings: Mapping[str, Any] = {}
    train_protocol: str = ""

    @property
    def any_width(self) -> bool:
        """Whether long lines are read at the width that their height gives."""
        return self.keep_ratio and getattr(self.net, "any_width", False)

    @property
    def frame_stride(self) -> float:
        """Pixels of width per frame."""
        frames, width = self.net.frames, self.image[2]
        grown = frames(512) - frames(256)  # 0 if a rectifier gives images of any width one size
        return 256 / grown if grown else width / frames(width)

    def training_size(self, width: int | None = None) -> ImageSize:
        """Return how images are resized in training; ``width`` replaces the configuration's."""
        channels, height, usual = self.image
        grey = channels == 1
        return ImageSize(height, width or usual, grey, self.keep_ratio, self.rotate_tall, self.fill)

    def reading_size(self, rotate_tall: RotateTall | None = None) -> ImageSize:
        """Return how any images are resized for the net.

        A net of :attr:`any_width` reads a line longer than the usual width at the width that its
        height gives, up to 3,200 pixels; others squash it.

        Args:
            rotate_tall: In place of that of the configuration.
        """
        size, width = self.training_size(), self.image[2]
        if self.any_width:
            size = replace(size, width=max(width, LONGEST), min_width=width)
        return replace(size, rotate_tall=rotate_tall or self.rotate_tall)


def find_model(model: str | Path) -> tuple[Path, Path | None]:
    """Return configuration and weights of a trained net.

    Args:
        model: Folder of a run, or of weights (see :mod:`dctc.reading.weights`), or the
            ``config.yaml`` in it; the name of packaged weights; or anything else that
            :func:`load_net` takes, which has no weights beside it.

    Raises:
        FileNotFoundError: If there is no such folder or file.
        ValueError: If it is a file of weights, which does not say of which net.
    """
    if names_onnx(str(model)):
        return Path(model), None
    path = known_path(model)
    if not path.exists():
        raise FileNotFoundError(f"{model}: no folder of a run or of weights, and no packaged net")
    if path.is_file() and path.suffix in (".ckpt", ".safetensors"):
        raise ValueError(f"{model}: weights alone; give the folder of their run, or config.yaml")
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        return path, None
    folder = path if path.is_dir() else path.parent
    return folder / "config.yaml" if path.is_dir() else path, weights_in(folder)


def load_model(model: str | Path, checkpoint: Path | None = None) -> Loaded:
    """Load a trained net with its weights.

    Args:
        model: See :func:`find_model`.
        checkpoint: Other weights than those beside it.

    Raises:
        ValueError: As :func:`load_net`.
        OSError: If there is no such model, or no weights in it.
    """
    config, weights = find_model(model)
    return load_net(config, checkpoint or weights)


@torch.inference_mode(False)  # building a net may take a gradient
def load_net(config: Path, checkpoint: Path | None = None) -> Loaded:
    """Build the net of a configuration, or a pretrained one by its name.

    Args:
        config: A fragment with a ``model.net``, a complete configuration, or the ``config.yaml``
            of a run. Without ``model.tokenizer`` the charset is ``36``; without ``data`` the images
            are 32x128. A file of the charset may lie beside it. Or a name of
            :data:`dctc.onnx_files.PRETRAINED`, or an ONNX file, whose charset is its own.
        checkpoint: Weights to load, as a run or :mod:`dctc.reading.weights` has written them; None
            leaves those of the start.

    Raises:
        ValueError: If the file names no net or one that cannot be built, or the checkpoint is of
            another charset or another net, or is none at all.
        OSError: If a file cannot be read.
    """
    settings = _of_onnx(str(config)) if names_onnx(str(config)) else read_settings(config)
    find_own_modules()
    model, data = settings["model"], settings["data"]
    chosen, tokens = model["net"], model["tokenizer"]
    check_class_paths({"model": model})
    try:
        if isinstance(charset := tokens["init_args"].get("charset"), str):  # a number is refused
            tokens["init_args"]["charset"] = charset_beside(charset, config.parent)
        tokenizer = build("tokenizer", CTCTokenizer, tokens)
        if chosen["class_path"].endswith(".OnnxRecognizer"):
            chosen["init_args"]["charset"] = tokens["init_args"].get("charset", "36")
        else:
            chosen["init_args"]["num_classes"] = tokenizer.num_classes
        if checkpoint is not None:  # it brings all weights
            leave_out_first_weights(chosen["init_args"])
        net = build("net", nn.Module, chosen)
    except ArgumentError as error:
        raise ValueError(f"{config}: {one_line(explained(str(error)))}") from error
    protocol = model.get("protocol") or usual_protocol(tokenizer.charset)
    get_protocol(protocol)
    tokenizer.check_net(net)
    if checkpoint is not None:
        _load(net, tokenizer, checkpoint)
    given = {k: v for k, v in data["init_args"].items() if v is not None}
    found = {**image_options(chosen, data), **{k: v for k, v in given.items() if v is not False}}
    width = found["width"]
    if width is None:  # as DocumentDataModule has it
        width = DOCUMENTS[given["source"]].width
    channels = getattr(net, "in_chans", 1 if found.get("grayscale") else 3)
    return Loaded(
        net=net.eval(),
        tokenizer=tokenizer,
        protocol=protocol,
        image=(channels, found["height"], width),
        keep_ratio=bool(found.get("keep_ratio")),
        rotate_tall=found.get("rotate_tall") or "off",
        fill=found.get("fill"),
        settings={"net": chosen, "tokenizer": tokens, "protocol": protocol},
        train_protocol=given.get("train_protocol") or protocol,
    )


def leave_out_first_weights(arguments: Any) -> None:
    """Change the arguments of a net, and of nets in it, to those of one without weights."""
    if isinstance(arguments, dict):
        if "pretrained" in arguments:
            arguments["pretrained"] = False
        if isinstance(options := arguments.get("encoder_options"), dict):
            options.pop("checkpoint_path", None)
        for value in arguments.values():
            leave_out_first_weights(value)


def _of_onnx(source: str) -> dict[str, Any]:
    """Return the configuration of a pretrained recogniser, whose charset and images are its own."""
    net = {"class_path": "dctc.models.OnnxRecognizer", "init_args": {"source": source}}
    tokenizer = {"class_path": TOKENIZER, "init_args": {"charset": source}}
    said = read_onnx(source).metadata  # of dctc export, it says these too
    width = OnnxRecognizer.image_format_of({"source": source}).width
    images = {"keep_ratio": None, "width": width, "rotate_tall": said.get("rotate_tall")}
    protocol = said["protocol"] if said.get("protocol") in PROTOCOLS else None
    model = {"net": net, "tokenizer": tokenizer, "protocol": protocol}
    return {"model": model, "data": {"init_args": images}}


def training_width(
    form: ImageFormat | None, lmdbs: Sequence[Path], rotate_tall: RotateTall = "off"
) -> int | None:
    """Return the width in pixels at which a net is fine-tuned on some LMDBs.

    Images that keep their ratio have that of 99 % of the images, at least the usual one, and 3,200
    at most; others have the usual one.

    Args:
        form: Of the images of the net; None if it has none.
        lmdbs: Their folders.
        rotate_tall: Where tall images are turned.

    Returns:
        None if the net, or its configuration, fixes the width.
    """
    if form is None or form.fixed_width:
        return None
    if not form.keep_ratio:
        return form.width
    from dctc.data.archives.stats import width_of_most  # here, as reading does not need it

    size = ImageSize(form.height, rotate_tall=rotate_tall)
    return min(max(form.width, width_of_most(lmdbs, size)), LONGEST)


def start_from(module: Any, given: str, policy: Literal["keep", "subset", "union", "new"]) -> str:
    """Load the weights of another run into the net of a module.

    The rows of its last layer go by character, as those of
    :class:`~dctc.models.OnnxRecognizer` do.

    Args:
        module: A :class:`~dctc.training.module.RecognizerModule`.
        given: Folder of the run or of exported weights, or a file of either.
        policy: What its charset may be beside that of the checkpoint, see there.

    Returns:
        A line that says how many characters are kept, added and dropped.

    Raises:
        ValueError: If the checkpoint is of another net, or the policy does not allow the charset.
        FileNotFoundError: If there is none.
    """
    file = weights_file(given)
    stored = read_checkpoint(file)
    if "charset" not in stored:
        raise ValueError(f"{file}: it names no charset; it was not written by this project")
    own, wanted = stored["charset"], module.tokenizer.charset.characters
    note = check_policy(str(Path(given)), own, wanted, policy, "init_policy")
    weights = _net_weights(stored)
    if own != wanted:
        rows: list[Any] = [weights.get(f"head.{name}") for name in ("weight", "bias")]
        if any(row is None for row in rows):
            raise ValueError(f"{file}: its net has no linear layer 'head', so its charset stays")
        head = new_head(rows[0], rows[1], own, wanted)
        weights |= {"head.weight": head.weight.detach(), "head.bias": head.bias.detach()}
    try:
        module.net.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).partition(":")[2].split())
        raise ValueError(f"{file}: it is of another net: {reason[:300]}") from error
    if module.teacher is not None:
        module.teacher.module.load_state_dict(module.net.state_dict())
    return note


def _load(net: nn.Module, tokenizer: CTCTokenizer, checkpoint: Path) -> None:
    found = read_checkpoint(checkpoint)
    try:
        check_charset(found, tokenizer.charset)
        net.load_state_dict(_net_weights(found))
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{checkpoint}: {one_line(error)}") from error


def _net_weights(checkpoint: dict[str, Any]) -> dict[str, Any]:
    named = checkpoint["state_dict"].items()
    return {name.removeprefix("net."): w for name, w in named if name.startswith("net.")}
