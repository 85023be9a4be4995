"""``dctc describe``: parameters, FLOPs, memory and speed of a net."""

from __future__ import annotations

import copy
import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any
from unicodedata import category

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dctc.bench.loss import LABEL_LENGTH
from dctc.bench.measure import default_device, interleaved, peak_memory
from dctc.data.records.batch import Batch
from dctc.losses import CTCLoss
from dctc.losses.cross_entropy import CharacterCrossEntropy
from dctc.results.environment import environment
from dctc.runs.net import Loaded, find_model, load_net
from dctc.tables import Table
from dctc.text import normal_form
from dctc.training.machine import compute_in_float32
from dctc.training.module import RecognizerModule
from dctc.training.objective import AttentionNet, head_note

REPEATS, LIMIT_S = 20, 10.0  # ours: medians of so many runs, or of what fits into so many seconds
FLOPS_NOTE = (
    "FLOPs: a multiply-add is 2; matrix products, convolutions, attention and LSTM count; "
    "normalisation, activations, pooling, softmax, additions and the resizing of images do not. "
    "Of a net that reads by attention: one pass over a word of up to 8 characters."
)


def count_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters; shared ones count once."""
    return sum(p.numel() for p in module.parameters())


def count_flops(net: Any, image: tuple[int, int, int]) -> int:
    """Return the FLOPs of the inference of one image (channels, h, w).

    They are counted without computing: on torch's meta device, where attention and LSTM fall apart
    into matrix products. The CPU's own kernels for both are unknown to torch's counter.
    """
    shapes = copy.deepcopy(net).to("meta").eval()
    images = torch.zeros(1, *image, device="meta")
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        if isinstance(net, AttentionNet):  # how long it reads depends on what it reads
            length = min(LABEL_LENGTH, net.max_length)
            label = torch.zeros(1, length, dtype=torch.int64, device="meta")
            shapes.teach(shapes.features(images), label, None)
        else:
            shapes(images)
    return counter.get_total_flops()


def arm(loaded: Loaded, loss: nn.Module) -> RecognizerModule:
    """Return a module that trains a copy of a net with a loss."""
    net: Any = copy.deepcopy(loaded.net)
    return RecognizerModule(net, loss, loaded.tokenizer, protocol=loaded.protocol)


def noise(n: int, loaded: Loaded, device: torch.device) -> Batch:
    """Return random images and words, in the memory format of the DataModules' batches."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(n, *loaded.image, generator=generator) * 2 - 1
    classes = torch.randint(1, loaded.net.num_classes, (n, LABEL_LENGTH), generator=generator) - 1
    every = loaded.tokenizer.charset.characters
    known = [c for c in every if category(c)[0] != "M"] or every  # marks join what is before them
    drawn = ("".join(known[k % len(known)] for k in row) for row in classes.tolist())
    return Batch(
        image=pixels.to(device, memory_format=torch.channels_last),
        label=["".join(c for c in normal_form(label) if c in every) for label in drawn],
        key=[str(i) for i in range(n)],
        width=torch.full((n,), loaded.image[2], device=device),  # as Lightning moves a batch
        extents=None,
        corrupt=[],
    )


def train_step(module: RecognizerModule, batch: Batch) -> Callable[[], None]:
    """Return a step of training: forward, loss and backward, without the optimizer's own.

    Where the loss needs a teacher, its pass and its move towards the net's weights are part of the
    step. The teacher's weights exist before the step; like the net's they are not in its memory.
    """

    def step() -> None:
        module.train()
        outputs = module.objective.outputs(module, batch)
        module.objective.loss(module, batch, outputs).value.backward()
        module.zero_grad()
        if module.teacher is not None:
            module.teacher.update_parameters(module.net)

    return step


def inference_step(net: Any, images: Tensor) -> Callable[[], None]:
    """Return the inference of a batch: the forward pass in evaluation mode."""

    def step() -> None:
        net.eval()
        with torch.inference_mode():
            net(images)

    return step


def describe(
    loaded: Loaded, device: torch.device, batch_size: int = 32, limit_s: float = LIMIT_S
) -> dict[str, Any]:
    """Measure a net at one size of image.

    Args:
        loaded: The net and the size of its images.
        device: Where to measure.
        batch_size: n.
        limit_s: Seconds after which no further repeat begins.

    Returns:
        ``parameters``, trainable and frozen; ``flops`` of one image, see :data:`FLOPS_NOTE`;
        ``frames`` t of an image; ``stride``, pixels of width per frame; ``features`` d, if any;
        ``classes`` c, with the blank; ``image``: channels, height, width; ``batch_size``;
        ``train_peak_bytes``, the most memory that forward, loss and backward hold (activations
        and gradients, not weights, images or an optimizer's state); ``train_images_per_s`` of
        these; ``inference_images_per_s`` of the net alone, in evaluation mode; ``head``, a line
        where training computes the last layer as part of the loss.
    """
    loss = CharacterCrossEntropy() if isinstance(loaded.net, AttentionNet) else CTCLoss()
    module = arm(loaded, loss).to(device)
    batch = noise(batch_size, loaded, device)
    step = train_step(module, batch)
    steps = {"train": step, "inference": inference_step(module, batch.image)}
    seconds = interleaved(steps, REPEATS, device, limit_s)
    peak, width = peak_memory(step, device), loaded.image[2]
    with torch.inference_mode():
        net = module.eval().net
        features = net.features(batch.image[:1]).shape[2] if hasattr(net, "features") else None
    return {
        "parameters": count_parameters(module),
        "flops": count_flops(loaded.net, loaded.image),
        "frames": loaded.net.frames(width),
        "stride": loaded.frame_stride,
        "features": features,
        "classes": loaded.net.num_classes,
        "image": loaded.image,
        "batch_size": batch_size,
        "train_peak_bytes": peak,
        "train_images_per_s": batch_size / seconds["train"],
        "inference_images_per_s": batch_size / seconds["inference"],
        "head": head_note(module),
    }


def main(options: Namespace) -> None:
    """Describe the net of a configuration.

    Raises:
        ValueError: If the configuration names no net, or the images do not fit it.
        OSError: If there is no such configuration.
    """
    compute_in_float32()

    if options.threads:
        torch.set_num_threads(options.threads)
    config, _ = find_model(options.model)  # its weights make no difference
    loaded = load_net(config)
    channels, height, width = loaded.image
    image = (channels, options.height or height, options.width or width)
    try:
        described = describe(loaded._replace(image=image), default_device(), options.batch_size)
    except RuntimeError as error:  # what torch's layers raise on images that do not fit
        reason = " ".join(str(error).split())
        raise ValueError(f"{config}: fails on images of {image[1]}x{image[2]}: {reason}") from error
    if options.json:
        print(json.dumps({"model": str(config), **described, **environment()}, indent=1))
    else:
        model = options.model.resolve()
        _table(model.name if model.is_dir() else model.stem, described).print()


def _table(title: str, d: dict[str, Any]) -> Table:
    rows = [
        ["parameters", f"{d['parameters']:,}"],
        ["FLOPs per image", f"{d['flops']:,}"],
        ["images (ch, h, w)", " x ".join(map(str, d["image"]))],
        ["frames t", f"{d['frames']}"],
        ["output stride, pixels", f"{d['stride']:g}"],
        *([] if d["features"] is None else [["features d", f"{d['features']:,}"]]),
        ["classes c", f"{d['classes']:,}"],
        ["train, peak MiB", f"{d['train_peak_bytes'] / 2**20:.1f}"],
        ["train, images/s", f"{d['train_images_per_s']:.1f}"],
        ["inference, images/s", f"{d['inference_images_per_s']:.1f}"],
    ]
    notes = [
        FLOPS_NOTE,
        f"Measured in batches of {d['batch_size']}, float32. Train: forward, loss (CTC, or the "
        f"cross entropy of a net that reads by attention) and backward; its peak counts "
        f"activations and gradients, not weights, images or an optimizer's state. Inference: the "
        f"net alone. {environment()['hardware']}",
    ]
    notes += [f"{d['head']}."] if d["head"] else []
    return Table(title, ["", "value"], rows, notes)
