"""Horizontal strides of a CNN taken away where they would make its frames wider than 4 pixels."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import BlurPool2d
from torch import Tensor, nn

FRAME_STRIDE = 4  # pixels of width per frame, as in CRNN and SVTR
PROBE = (32, 128)  # height and width of the image that finds out how an encoder behaves

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_STRIDED = (nn.Conv2d, *_POOLS, BlurPool2d)


class FeatureMap(nn.Module):
    """A timm CNN's last feature map ``(n, d, h', w')``, whichever way it lays it out."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder: Any = encoder
        self.channels_last = getattr(encoder, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into the feature map."""
        features = self.encoder.forward_features(images)
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def narrow(feature_map: FeatureMap, in_chans: int) -> None:
    """Set to 1 each horizontal stride whose input is only w/4 wide already.

    Weights and their names stay timm's. What a layer then lacks in width is padded: zeros around
    convolutions, as they pad themselves; the edge around poolings, whose maximum or mean zeros
    would change.

    Args:
        feature_map: Changed in place.
        in_chans: Channels of the images.
    """
    narrowest = PROBE[1] // FRAME_STRIDE
    for layer, shape in _strided_layers(feature_map, in_chans).items():
        if shape[3] > narrowest:
            continue
        layer.stride = (_pair(layer.stride)[0], 1)
        with torch.no_grad():
            missing = shape[3] - layer(torch.zeros(shape)).shape[3]
        if missing > 0:  # even kernels, and layers that do not pad
            columns = (missing // 2, missing - missing // 2)
            mode = "replicate" if isinstance(layer, _POOLS) else "constant"
            layer.register_forward_pre_hook(partial(_pad, columns, mode))


def _strided_layers(feature_map: FeatureMap, in_chans: int) -> dict[Any, torch.Size]:
    """Return the strided layers of an untouched encoder with the shape that reaches each."""
    shapes: dict[Any, torch.Size] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shapes.setdefault(layer, inputs[0].shape)

    hooks = [
        layer.register_forward_pre_hook(note)
        for layer in feature_map.modules()
        if isinstance(layer, _STRIDED) and _pair(layer.stride)[1] > 1
    ]
    probe(feature_map, in_chans)
    for hook in hooks:
        hook.remove()
    return shapes


def _pad(
    columns: tuple[int, int], mode: str, layer: nn.Module, inputs: tuple[Tensor, ...]
) -> tuple[Tensor, ...]:
    """A hook, not a layer of its own, which would change the names of timm's weights."""
    return (F.pad(inputs[0], (*columns, 0, 0), mode=mode), *inputs[1:])


@torch.no_grad()
def probe(encoder: nn.Module, in_chans: int, width: int = PROBE[1]) -> Tensor:
    """Return what an encoder makes of a black image; its state stays as it was."""
    training = encoder.training
    features = encoder.eval()(torch.zeros(1, in_chans, PROBE[0], width))
    encoder.train(training)
    return features


@torch.enable_grad()
def drop_unused(feature_map: Any, in_chans: int) -> None:
    """Put an identity in place of each part of a timm model that its feature map does not use.

    Those are layers after the pooling. As parameters without a gradient they would stop
    DistributedDataParallel.

    Args:
        feature_map: Holds the timm model as ``encoder``; changed in place.
        in_chans: Channels of the images.
    """
    training = feature_map.training
    features = feature_map.eval()(torch.zeros(1, in_chans, *PROBE))
    feature_map.train(training)
    parameters = [p for p in feature_map.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
    used = {id(p) for p, g in zip(parameters, gradients, strict=True) if g is not None}
    for name, part in feature_map.encoder.named_children():
        own = [id(p) for p in part.parameters()]
        if own and used.isdisjoint(own):
            setattr(feature_map.encoder, name, nn.Identity())


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
