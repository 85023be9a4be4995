"""``dctc export``: write a trained net as ONNX, torch's exported program, or portable weights."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from dctc.models import OnnxRecognizer, Recognizer
from dctc.models.export import export
from dctc.models.onnx_export import described
from dctc.reading.card import model_card
from dctc.reading.weights import FILES, save_weights
from dctc.runs.folder import PACKAGED, WEIGHTS
from dctc.runs.net import Loaded, find_model, load_net
from dctc.text.tokenizer import BLANK
from dctc.training.objective import AttentionNet

_MEAN = "mean colour of the resized image, on its right"


def main(options: Namespace) -> None:
    """Export the net of a run.

    Raises:
        ValueError: If the net cannot be exported, or the file computes something else.
        OSError: If there is no such run.
    """
    config, found = find_model(options.run)
    checkpoint = options.ckpt_path or found
    loaded = load_net(config, checkpoint)
    beside = Path() if config.is_relative_to(PACKAGED) else config.parent
    if options.to == "weights":
        _write_weights(options, loaded, config, checkpoint, beside)
        return
    if not isinstance(loaded.net, Recognizer) or isinstance(loaded.net, AttentionNet):
        raise ValueError(f"{config}: {type(loaded.net).__name__} is no CTC recogniser")
    file: Path = options.out or beside / f"net.{options.to}"
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file}: there is no folder {file.parent}")
    done = export(loaded.net, file, options.to, loaded.image, metadata(loaded))

    fixed = [name for name in ("batch", "width") if name not in done.dynamic]
    sizes = {"batch": 2, "width": loaded.image[2]}
    print(f"{file}: written")
    print(f"dynamic: {', '.join(done.dynamic) or 'nothing'}")
    if fixed:
        print(f"fixed:   {', '.join(f'{name} {sizes[name]}' for name in fixed)} ({done.reason})")
    shapes = ", ".join("x".join(map(str, shape)) for shape in done.shapes)
    print(f"checked: {done.output} within {done.difference:.1e} of the net's, on images {shapes}")


def _write_weights(
    options: Namespace, loaded: Loaded, config: Path, checkpoint: Path | None, beside: Path
) -> None:
    folder: Path = options.out or beside / "weights"
    others = sorted({file.name for file in folder.glob("*")} - {*FILES})
    if others:
        raise ValueError(f"{folder}: holds {others[0]}; name a new folder with --out")
    weights = checkpoint if checkpoint and checkpoint.suffix == ".ckpt" else None
    name = (folder if options.out else config.parent).resolve().name
    run = config.parent if config.name == "config.yaml" else None
    card = model_card(name, loaded, run, weights, options.license)
    difference = save_weights(loaded, folder, options.precision, card)
    size = (folder / WEIGHTS).stat().st_size
    print(f"{folder}: written, {size / 2**20:.2f} MiB of weights ({options.precision})")
    print(f"checked: logits within {difference:.1e} of the net's, on images of noise")


def metadata(loaded: Loaded) -> dict[str, str]:
    """Return what a consumer needs to feed a net and to decode its logits.

    README reads images with it: numpy, Pillow and onnxruntime are enough.
    """
    channels, height, width = loaded.image
    frames = loaded.net.frames
    valid = [*range(1, width + 1)]
    if getattr(loaded.net, "reads_padding", False):
        valid = [width] * width
    own = described(loaded.net) if isinstance(loaded.net, OnnxRecognizer) else {}
    return {
        "charset": loaded.tokenizer.charset.characters,  # class i + 1 is character i
        "blank": str(BLANK),
        "protocol": loaded.protocol,
        "input": "images (batch, channels, height, width)",
        "input_range": "[-1, 1]",
        "channel_order": "L" if channels == 1 else "RGB",  # Pillow's mode
        "channels": str(channels),
        "height": str(height),
        "width": str(width),
        "keep_ratio": str(loaded.keep_ratio).lower(),
        "any_width": str(loaded.any_width).lower(),  # or longer lines are squashed
        "rotate_tall": loaded.rotate_tall,
        "filter": "BICUBIC",  # Pillow's
        # on its right, where the ratio is kept
        "fill": _MEAN if loaded.fill is None else str(loaded.fill),
        "output": "logits (frames, batch, classes)",
        "frame_stride": f"{loaded.frame_stride:g}",
        "frames": str(frames(width)),
        # of an image of 1, 2, ... pixels before it is padded
        "valid_frames": json.dumps([max(frames(columns), 1) for columns in valid]),
        **own,
    }
