"""timm backbones as encoders of text lines: t = w/4 frames, whatever the original stride."""

from __future__ import annotations

import difflib
import textwrap
from functools import partial
from typing import Any

import timm
import torch
import torch.nn.functional as F
from timm.layers import BlurPool2d, to_2tuple
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from dctc.models.pretrained import check_weights

FRAME_STRIDE = 4  # pixels of width per frame, as in CRNN and SVTR
PROBE = (32, 128)  # height and width of the probe image
SMALL_RESNET = "small_resnet"  # ours: timm's ResNet at 0.6 M parameters
TESTED = (
    *("resnet18", "resnet50", "mobilenetv3_small_100", "mobilenetv4_conv_small", "hgnetv2_b0"),
    *("convnext_atto", "convnextv2_atto", "lcnet_050", "repvit_m0_9", "efficientnet_lite0"),
    "vit_tiny_patch16_224",
)

# 100 is no multiple of 8: grids of two frames, as in mobilevit's attention, do not fit it.
_PROBE_WIDTHS = (PROBE[1], 100, 32)
_WORKS = (
    f"what works: CNNs whose strides sit in convolutions and poolings, and ViTs of timm's "
    f"vision_transformer; tested are {', '.join(TESTED)}"
)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_STRIDED = (nn.Conv2d, *_POOLS, BlurPool2d)
# What timm's models raise on an image that is not the square they were made for.
_MISFITS = (AssertionError, AttributeError, IndexError, RuntimeError, TypeError, ValueError)


def create_encoder(
    name: str, in_chans: int, pretrained: bool, options: dict[str, Any]
) -> nn.Module:
    """Build a timm backbone that maps ``(n, ch, h, w)`` to ``(n, d, h', w/4)``.

    A CNN keeps its vertical strides; a horizontal stride that would take the width below w/4
    becomes 1. Of an isotropic ViT the patches are 4 pixels wide. Parts of the model that come after
    its feature map are left out.

    Args:
        name: A timm model name, or ``small_resnet``.
        in_chans: Channels of the images.
        pretrained: Whether to load timm's weights.
        options: Further arguments of :func:`timm.create_model`.

    Raises:
        ValueError: If timm has no such model, it does not take these options, it cannot give
            t = w/4, or its pretrained weights cannot be had.
        OSError: If a file of weights among the options cannot be read.
    """
    if name == SMALL_RESNET:
        if pretrained:
            raise ValueError(f"encoder {name!r}: there are no pretrained weights for it")
        own = {"channels": (32, 64, 128, 128), "stem_width": 16, "stem_type": "deep"}
        whole = {**own, "in_chans": in_chans, "global_pool": "", **options}
        return _fitted(name, FeatureMap(_create(name, whole)), in_chans)
    if not timm.is_model(name):
        close = ", ".join(difflib.get_close_matches(name, timm.list_models(), 5))
        raise ValueError(f"encoder {name!r}: timm has no such model; similar: {close or 'none'}")
    check_weights(name, pretrained, options)
    arguments: dict[str, Any] = {"pretrained": pretrained, "in_chans": in_chans, **options}
    if timm.models.is_model_in_modules(name, ["vision_transformer", "deit"]):
        shape = {"img_size": PROBE, "patch_size": (8, FRAME_STRIDE), "dynamic_img_size": True}
        return _fitted(name, _PatchGrid(_create(name, {**shape, **arguments})), in_chans)
    return _fitted(name, FeatureMap(_create(name, {"global_pool": "", **arguments})), in_chans)


def _create(name: str, arguments: dict[str, Any]) -> nn.Module:
    block: Any = BasicBlock  # ResNet's own annotation asks for an instance
    small = partial(ResNet, block, (1, 1, 1, 1))
    build: Any = small if name == SMALL_RESNET else partial(timm.create_model, name)
    try:
        return build(num_classes=0, **arguments)
    except AssertionError as error:
        if not arguments.pop("global_pool", "x"):  # a model that insists on a pooling gets its own
            return _create(name, arguments)
        raise ValueError(_refusal(name, "timm cannot build it", error)) from error
    except (TypeError, RuntimeError, ImportError) as error:
        raise ValueError(_refusal(name, "timm cannot build it", error, "")) from error


def _refusal(name: str, reason: str, error: Exception, advice: str = f"; {_WORKS}") -> str:
    said = textwrap.shorten(str(error), 200, placeholder=" ...") or type(error).__name__
    return f"encoder {name!r}: {reason} ({said}){advice}"


class _PatchGrid(nn.Module):
    """A ViT's patch tokens, laid out as the grid they came from."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder: Any = encoder
        if getattr(encoder, "attn_pool", None) is not None:
            encoder.attn_pool = None  # nothing is pooled
        width = encoder.patch_embed.patch_size[1]
        if width != FRAME_STRIDE:
            raise ValueError(f"patch_size: patches are {width} pixels wide, frames {FRAME_STRIDE}")

    def forward(self, images: Tensor) -> Tensor:
        height, patch = images.shape[2], self.encoder.patch_embed.patch_size[0]
        if height % patch:
            raise ValueError(f"images are {height} high, not a multiple of the patches' {patch}")
        tokens = self.encoder.forward_features(images)  # (n, prefix + h' * w', d)
        patches = self.encoder.fc_norm(tokens[:, self.encoder.num_prefix_tokens :])
        rows = patches.unflatten(1, (height // patch, -1))  # (n, h', w', d)
        return rows.permute(0, 3, 1, 2)


def _fitted(name: str, encoder: FeatureMap | _PatchGrid, in_chans: int) -> nn.Module:
    """Take away what the feature map does not need, and check that w/4 is what comes out."""
    try:
        if isinstance(encoder, FeatureMap):
            narrow(encoder, in_chans)
        shapes = {w: tuple(probe(encoder, in_chans, w).shape) for w in _PROBE_WIDTHS}
        drop_unused(encoder, in_chans)
    except _MISFITS as error:
        reason = f"fails on images {PROBE[0]} high at {FRAME_STRIDE} pixels per frame"
        raise ValueError(_refusal(name, reason, error)) from error
    for width, shape in shapes.items():
        if len(shape) != 4 or shape[3] != width // FRAME_STRIDE:
            raise ValueError(
                f"encoder {name!r}: an image {width} wide gives an output of shape {shape}, not "
                f"{width // FRAME_STRIDE} columns; {_WORKS}"
            )
    return encoder


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
        layer.stride = (to_2tuple(layer.stride)[0], 1)
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
        if isinstance(layer, _STRIDED) and to_2tuple(layer.stride)[1] > 1
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


def probe(encoder: nn.Module, in_chans: int, width: int = PROBE[1]) -> Tensor:
    """Return the output of an encoder for a black image; its state is unchanged."""
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
    features = probe(feature_map, in_chans)
    parameters = [p for p in feature_map.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
    used = {id(p) for p, g in zip(parameters, gradients, strict=True) if g is not None}
    for name, part in feature_map.encoder.named_children():
        own = [id(p) for p in part.parameters()]
        if own and used.isdisjoint(own):
            setattr(feature_map.encoder, name, nn.Identity())
