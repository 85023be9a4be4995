"""``dctc describe``: size, cost and speed of a net."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from rich.console import Console

from dctc.arguments import positive
from dctc.bench.cost import FLOPS_NOTE, Description, describe
from dctc.precision import compute_in_float32
from dctc.results.environment import environment
from dctc.results.tables import Table
from dctc.training.nets import load_net


def main(args: list[str] | None = None) -> None:
    """Describe the net of a configuration.

    Args:
        args: Command line without ``dctc describe``; None takes that of the process.

    Raises:
        ValueError: If the configuration names no net, or the images do not fit it.
        OSError: If there is no such configuration.
    """
    parser = argparse.ArgumentParser(prog="dctc describe", description=__doc__)
    parser.add_argument("model", type=Path, help="fragment, config.yaml, or folder of a run")
    parser.add_argument("--batch_size", type=positive, default=32, help="images (default: 32)")
    parser.add_argument("--height", type=positive, help="pixels (default: the configuration's)")
    parser.add_argument("--width", type=positive, help="pixels (default: the configuration's)")
    parser.add_argument("--threads", type=positive, help="CPU threads (default: torch's choice)")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    options = parser.parse_args(args)
    compute_in_float32()

    if options.threads:
        torch.set_num_threads(options.threads)
    config: Path = options.model / "config.yaml" if options.model.is_dir() else options.model
    loaded = load_net(config)
    channels, height, width = loaded.image
    loaded = loaded._replace(image=(channels, options.height or height, options.width or width))
    image = loaded.image
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        described = describe(loaded, device, options.batch_size)
    except RuntimeError as error:  # what torch's layers raise on images that do not fit
        reason = " ".join(str(error).split())
        raise ValueError(f"{config}: fails on images of {image[1]}x{image[2]}: {reason}") from error
    if options.json:
        print(json.dumps({"model": str(config), **asdict(described), **environment()}, indent=1))
    else:
        _table(options.model.resolve().stem, described).print(Console())


def _table(title: str, d: Description) -> Table:
    channels, height, width = d.image
    rows = [
        ["parameters", f"{d.parameters:,}"],
        ["FLOPs per image", f"{d.flops:,}"],
        ["images (ch, h, w)", f"{channels} x {height} x {width}"],
        ["frames t", f"{d.frames}"],
        ["output stride, pixels", f"{d.stride:g}"],
        ["features d", f"{d.features:,}"],
        ["classes c", f"{d.classes:,}"],
        ["train, peak MiB", f"{d.train_peak_bytes / 2**20:.1f}"],
        ["train, images/s", f"{d.train_images_per_s:.1f}"],
        ["inference, images/s", f"{d.inference_images_per_s:.1f}"],
    ]
    notes = [
        FLOPS_NOTE,
        f"Measured in batches of {d.batch_size}, float32. Train: forward, loss (CTC, or the cross "
        f"entropy of a net that reads by attention) and backward; its peak counts activations and "
        f"gradients, not weights, images or an optimizer's state. Inference: the net alone. "
        f"{environment()['hardware']}",
    ]
    return Table(title, ["", "value"], rows, notes)
