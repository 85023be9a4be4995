"""``dctc describe``: size, cost and speed of a net."""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dctc.arguments import positive
from dctc.bench.measure import interleaved, peak_memory
from dctc.losses import CTCLoss
from dctc.reporting.environment import environment
from dctc.reporting.tables import Table

REPEATS, LIMIT_S = 20, 10.0  # ours: medians of so many runs, or of what fits into so many seconds
LABEL_LENGTH = 8  # characters, a usual word; CTC costs little beside a net
FLOPS_NOTE = (
    "FLOPs: a multiply-add is 2; matrix products, convolutions, attention and LSTM count; "
    "normalisation, activations, pooling, softmax, additions and the resizing of images do not."
)


@dataclass(frozen=True)
class Description:
    """What a net is and costs at one size of image.

    Attributes:
        parameters: Trainable and frozen parameters.
        flops: Of the inference of one image; see :data:`FLOPS_NOTE`.
        frames: t, frames of an image.
        stride: Pixels of width per frame.
        features: d, size of a frame's features.
        classes: c, including the blank.
        image: Channels, height and width of the images.
        batch_size: n, of what follows.
        train_peak_bytes: Most memory that forward, CTC and backward hold beyond weights and images:
            activations and gradients, not the state of an optimizer.
        train_images_per_s: Images in a second of forward, CTC and backward.
        inference_images_per_s: Images in a second of the net alone, in evaluation mode.
    """

    parameters: int
    flops: int
    frames: int
    stride: float
    features: int
    classes: int
    image: tuple[int, int, int]
    batch_size: int
    train_peak_bytes: int
    train_images_per_s: float
    inference_images_per_s: float


def count_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters; shared ones count once."""
    return sum(p.numel() for p in module.parameters())


def count_flops(net: Any, image: tuple[int, int, int]) -> int:
    """Return the FLOPs of the inference of one image (channels, h, w).

    They are counted without computing: on torch's meta device, where attention and LSTM fall apart
    into matrix products. The CPU's own kernels for both are unknown to torch's counter.
    """
    shapes = copy.deepcopy(net).to("meta").eval()
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        shapes(torch.zeros(1, *image, device="meta"))
    return counter.get_total_flops()


def train_step(net: Any, loss: nn.Module, images: Tensor) -> Callable[[], None]:
    """Return a step of training: forward, loss and backward on labels of a usual length."""
    n = len(images)
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(1, net.num_classes, (n, LABEL_LENGTH), generator=generator)
    lengths = torch.full((n,), LABEL_LENGTH)
    frames = net.frames(torch.full((n,), images.shape[3]))

    def step() -> None:
        net.train()
        loss(net(images), targets.to(images.device), frames, lengths).backward()
        net.zero_grad()

    return step


def inference_step(net: Any, images: Tensor) -> Callable[[], None]:
    """Return the inference of a batch: the forward pass in evaluation mode."""

    def step() -> None:
        net.eval()
        with torch.inference_mode():
            net(images)

    return step


def noise(n: int, image: tuple[int, int, int], device: torch.device) -> Tensor:
    """Return ``(n, ch, h, w)`` random images in the memory format of the DataModules' batches."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(n, *image, generator=generator) * 2 - 1
    return pixels.to(device, memory_format=torch.channels_last)


def describe(
    net: Any, image: tuple[int, int, int], batch_size: int = 32, limit_s: float = LIMIT_S
) -> Description:
    """Measure a net where its weights lie.

    Args:
        net: A :class:`~dctc.models.Recognizer`; left in evaluation mode.
        image: Channels, height and width of the images.
        batch_size: n.
        limit_s: Seconds after which no further repeat begins.
    """
    device = next(net.parameters()).device
    images = noise(batch_size, image, device)
    step = train_step(net, CTCLoss(), images)
    seconds = interleaved(
        {"train": step, "inference": inference_step(net, images)}, REPEATS, device, limit_s
    )
    peak = peak_memory(step, device)
    net.eval()
    with torch.inference_mode():
        features = net.features(images[:1])
    frames = int(net.frames(image[2]))
    return Description(
        parameters=count_parameters(net),
        flops=count_flops(net, image),
        frames=frames,
        stride=image[2] / frames,
        features=features.shape[2],
        classes=net.num_classes,
        image=image,
        batch_size=batch_size,
        train_peak_bytes=peak,
        train_images_per_s=batch_size / seconds["train"],
        inference_images_per_s=batch_size / seconds["inference"],
    )


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

    from dctc.training.nets import load_net

    if options.threads:
        torch.set_num_threads(options.threads)
    config: Path = options.model / "config.yaml" if options.model.is_dir() else options.model
    loaded = load_net(config)
    channels, height, width = loaded.image
    image = (channels, options.height or height, options.width or width)
    net: Any = loaded.net
    net.to("cuda" if torch.cuda.is_available() else "cpu")
    try:
        described = describe(net, image, options.batch_size)
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
        f"Measured in batches of {d.batch_size}, float32. Train: forward, CTC and backward; its "
        f"peak counts activations and gradients, not weights, images or an optimizer's state. "
        f"Inference: the net alone. {environment()['hardware']}",
    ]
    return Table(title, ["", "value"], rows, notes)
