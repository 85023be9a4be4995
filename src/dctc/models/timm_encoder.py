"""timm backbones as encoders of text lines: t = w/4 frames, whatever the original stride."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

FRAME_STRIDE = 4  # pixels of width per frame, as in CRNN and SVTR
SMALL_RESNET = "small_resnet"  # ours: timm's ResNet at 0.6 M parameters

_PROBE = (32, 128)  # height and width of the image that finds out how an encoder behaves
_STRIDED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_WORKS = (
    "what works: CNNs whose strides sit in convolutions and poolings (resnet18, "
    "mobilenetv3_small_100, convnext_atto) and ViTs of timm's vision_transformer "
    "(vit_tiny_patch16_224)"
)
# What timm's models raise on an image that is not the square they were made for.
_MISFITS = (AssertionError, AttributeError, IndexError, RuntimeError)


def create_encoder(
    name: str, in_chans: int, pretrained: bool, options: dict[str, Any]
) -> Callable[[Tensor], Tensor]:
    """Build a timm backbone that maps ``(n, ch, h, w)`` to ``(n, d, h', w/4)``.

    A CNN keeps its vertical strides; a horizontal stride that would take the width below w/4
    becomes 1. Of an isotropic ViT the patches are 4 pixels wide.

    Args:
        name: A timm model name, or ``small_resnet``.
        in_chans: Channels of the images.
        pretrained: Whether to load timm's weights.
        options: Further arguments of :func:`timm.create_model`.

    Raises:
        ValueError: If timm has no such model, or it cannot give t = w/4.
    """
    if name == SMALL_RESNET:
        return _narrowed(name, _small_resnet(in_chans, pretrained, options), in_chans)
    if not timm.is_model(name):
        close = ", ".join(difflib.get_close_matches(name, timm.list_models(), 5))
        raise ValueError(f"encoder {name!r}: timm has no such model; similar: {close or 'none'}")
    arguments: dict[str, Any] = {"pretrained": pretrained, "in_chans": in_chans, **options}
    if timm.models.is_model_in_modules(name, ["vision_transformer", "deit"]):
        shape = {"img_size": _PROBE, "patch_size": (8, FRAME_STRIDE), "dynamic_img_size": True}
        return _PatchGrid(timm.create_model(name, num_classes=0, **{**shape, **arguments}))
    try:
        encoder = timm.create_model(name, num_classes=0, global_pool="", **arguments)
    except AssertionError as error:
        raise ValueError(_refusal(name, "cannot be built without pooling", error)) from error
    try:
        return _narrowed(name, encoder, in_chans)
    except _MISFITS as error:
        reason = f"fails on an image of {_PROBE[0]}x{_PROBE[1]} at {FRAME_STRIDE} pixels per frame"
        raise ValueError(_refusal(name, reason, error)) from error


def _refusal(name: str, reason: str, error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return f"encoder {name!r}: {reason} ({said}); {_WORKS}"


def _small_resnet(in_chans: int, pretrained: bool, options: dict[str, Any]) -> nn.Module:
    if pretrained:
        raise ValueError(f"encoder {SMALL_RESNET!r}: there are no pretrained weights for it")
    block: Any = BasicBlock  # ResNet's own annotation asks for an instance
    return ResNet(
        block,
        (1, 1, 1, 1),
        channels=(32, 64, 128, 128),
        stem_width=16,
        stem_type="deep",
        in_chans=in_chans,
        num_classes=0,
        global_pool="",
        **options,
    )


class _FeatureMap(nn.Module):
    """A CNN's last feature map."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder: Any = encoder

    def forward(self, images: Tensor) -> Tensor:
        return self.encoder.forward_features(images)  # (n, d, h', w/4)


class _PatchGrid(nn.Module):
    """A ViT's patch tokens, laid out as the grid they came from."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder: Any = encoder
        width = encoder.patch_embed.patch_size[1]
        if width != FRAME_STRIDE:
            raise ValueError(f"patch_size: patches are {width} pixels wide, frames {FRAME_STRIDE}")

    def forward(self, images: Tensor) -> Tensor:
        height, patch = images.shape[2], self.encoder.patch_embed.patch_size[0]
        if height % patch:
            raise ValueError(f"images are {height} high, not a multiple of the patches' {patch}")
        tokens = self.encoder.forward_features(images)  # (n, prefix + h' * w', d)
        rows = height // patch
        patches = tokens[:, self.encoder.num_prefix_tokens :]  # (n, h' * w', d)
        return patches.unflatten(1, (rows, -1)).permute(0, 3, 1, 2)  # (n, d, h', w')


def _narrowed(name: str, encoder: nn.Module, in_chans: int) -> nn.Module:
    """Set the horizontal strides past w/4 to 1 and check that w/4 is what comes out."""
    width_into = _input_widths(encoder, in_chans)
    narrowest = _PROBE[1] // FRAME_STRIDE
    for module_name, width in width_into.items():
        layer = encoder.get_submodule(module_name)
        if width <= narrowest and _pair(layer.stride)[1] > 1:
            encoder.set_submodule(module_name, _without_horizontal_stride(layer))
    feature_map = _FeatureMap(encoder)
    shape = _probe(feature_map, in_chans).shape
    if len(shape) != 4 or shape[3] != narrowest:
        raise ValueError(
            f"encoder {name!r}: an image {_PROBE[1]} wide gives an output of shape "
            f"{tuple(shape)}, not {narrowest} columns; {_WORKS}"
        )
    return feature_map


def _input_widths(encoder: nn.Module, in_chans: int) -> dict[str, int]:
    """Return the width that reaches each strided layer of the untouched encoder."""
    widths: dict[str, int] = {}

    def note(name: str, inputs: tuple[Tensor, ...]) -> None:
        widths.setdefault(name, inputs[0].shape[3])

    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs))
        for name, layer in encoder.named_modules()
        if isinstance(layer, _STRIDED) and _pair(layer.stride)[1] > 1
    ]
    _probe(_FeatureMap(encoder), in_chans)
    for hook in hooks:
        hook.remove()
    return widths


def _without_horizontal_stride(layer: Any) -> nn.Module:
    layer.stride = (_pair(layer.stride)[0], 1)
    kernel = _pair(layer.kernel_size)[1]
    if kernel % 2:  # padded by (kernel - 1) / 2 on both sides: the width stays
        return layer
    # an even kernel loses kernel - 1 - 2 * padding columns; they are added on the right
    return nn.Sequential(nn.ZeroPad2d((0, kernel - 1 - 2 * _pair(layer.padding)[1], 0, 0)), layer)


@torch.no_grad()
def _probe(encoder: nn.Module, in_chans: int) -> Tensor:
    training = encoder.training
    features = encoder.eval()(torch.zeros(1, in_chans, *_PROBE))
    encoder.train(training)
    return features


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
