"""A step of training and of inference of a net, on noise; its parameters and FLOPs."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from dctc.bench.loss import LABEL_LENGTH
from dctc.data.records.batch import Batch
from dctc.training.module import RecognizerModule
from dctc.training.nets import Loaded
from dctc.training.objective import AttentionNet

FLOPS_NOTE = (
    "FLOPs: a multiply-add is 2; matrix products, convolutions, attention and LSTM count; "
    "normalisation, activations, pooling, softmax, additions and the resizing of images do not. "
    "Of a net that reads by attention: one pass over a word of 8 characters."
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
            label = torch.zeros(1, LABEL_LENGTH, dtype=torch.int64, device="meta")
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
    classes = torch.randint(1, loaded.net.num_classes, (n, LABEL_LENGTH), generator=generator)
    return Batch(
        image=pixels.to(device, memory_format=torch.channels_last),
        label=[loaded.tokenizer.decode(row) for row in classes.tolist()],
        key=[str(i) for i in range(n)],
        width=torch.full((n,), loaded.image[2], device=device),  # as Lightning moves a batch
        extents=None,
        corrupt=[],
    )


def train_step(module: RecognizerModule, batch: Batch) -> Callable[[], None]:
    """Return a step of training: forward, loss and backward, without the optimizer's own.

    Where the loss needs a teacher, its pass and its move towards the net's weights are part of the
    step. Its copy of them exists before the step, and counts as weights in what is measured.
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
