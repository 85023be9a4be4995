"""SVTR: a single visual model for text (Du et al., IJCAI 2022, arXiv 2205.00159)."""

from __future__ import annotations

from itertools import accumulate
from typing import Any, Literal, NamedTuple

import torch
from timm.layers import ConvNormAct, LayerNorm2d, trunc_normal_
from torch import Tensor, nn
from torch.nn import functional as F

from dctc.models.images import check_images
from dctc.models.mixing import EPS, MixingStage
from dctc.models.rectifier import Rectifier

PATCH = 4  # pixels of height and width per place of the grid: two convolutions of stride 2
DROP_PATH = 0.1  # of the last block, rising linearly from 0; SVTR's code
DROPOUT = 0.1  # before the head; SVTR's code
INIT_STD = 0.02  # SVTR's code


class Variant(NamedTuple):
    """The sizes of an SVTR.

    Attributes:
        dims: Features of each stage.
        depths: Blocks of each stage.
        heads: Heads of each stage.
        local: How many of all blocks, from the first, mix among neighbours; the others mix all.
        out: Features of a frame (d).
    """

    dims: tuple[int, int, int]
    depths: tuple[int, int, int]
    heads: tuple[int, int, int]
    local: int
    out: int


VARIANTS = {  # Table 1 and the authors' configurations
    "tiny": Variant((64, 128, 256), (3, 6, 3), (2, 4, 8), 6, 192),
    "small": Variant((96, 192, 256), (3, 6, 6), (3, 6, 8), 8, 192),
    "base": Variant((128, 256, 384), (3, 6, 9), (4, 8, 12), 8, 256),
    "large": Variant((192, 256, 512), (3, 9, 9), (6, 8, 16), 10, 384),
}


class SVTR(nn.Module):
    """Three stages of local and global attention, the mean over height, a linear CTC head.

    Args:
        num_classes: Classes including the blank.
        variant: ``tiny``, ``small``, ``base`` or ``large``.
        in_chans: Channels of the images.
        height: Height of the images in pixels, a multiple of 4.
        width: Width in pixels for which position embedding and neighbourhoods are made, a multiple
            of ``frame_stride``. Images of other widths interpolate the position embedding.
        frame_stride: Pixels of width per frame: 4, as the published English nets (32x100, t = 25);
            or 8, as the Chinese ones (32x320, t = 40), where pairs of columns are averaged.
        rectifier: Put a TPS rectifier in front: images of any size become height x width.

    Raises:
        ValueError: If an argument is not one of these, or images do not fit.

    Example:
        >>> net = SVTR(num_classes=37, variant="tiny")
        >>> net(torch.zeros(2, 3, 32, 100)).shape
        torch.Size([25, 2, 37])
    """

    def __init__(
        self,
        num_classes: int,
        variant: Literal["tiny", "small", "base", "large"] = "tiny",
        in_chans: int = 3,
        height: int = 32,
        width: int = 100,
        frame_stride: Literal[4, 8] = 4,
        rectifier: bool = False,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant {variant!r}: it is one of {', '.join(VARIANTS)}")
        if frame_stride not in (4, 8):
            raise ValueError(f"frame_stride {frame_stride}: it is 4 or 8")
        if height % PATCH:
            raise ValueError(f"height {height}: not a multiple of {PATCH}")
        if width % frame_stride:
            raise ValueError(f"width {width}: not a multiple of frame_stride {frame_stride}")
        self.num_classes = num_classes
        self.in_chans = in_chans
        self.height, self.width = height, width
        self.frame_stride = frame_stride
        sizes = VARIANTS[variant]
        dim = sizes.dims[0]
        self.rectifier = Rectifier(height, width, in_chans) if rectifier else None
        self.embed = nn.Sequential(
            ConvNormAct(in_chans, dim // 2, 3, stride=2, act_layer=nn.GELU),
            ConvNormAct(dim // 2, dim, 3, stride=2, act_layer=nn.GELU),
        )
        self.position = nn.Parameter(torch.empty(1, dim, height // PATCH, width // PATCH))
        self.stages = _stages(sizes, height // PATCH, width // PATCH)
        self.norm = LayerNorm2d(sizes.dims[-1], eps=EPS)
        combine = nn.Linear(sizes.dims[-1], sizes.out, bias=False)
        nn.init.kaiming_normal_(combine.weight)  # as the 1x1 convolution that it is in SVTR's code
        self.combine = nn.Sequential(combine, nn.Hardswish(), nn.Dropout(DROPOUT))
        # torch's own initialisation, U(-1/sqrt(d), 1/sqrt(d)), is that of SVTR's code
        self.head = nn.Linear(sizes.out, num_classes)
        self._init()

    def _init(self) -> None:
        """Initialise position, convolutions and blocks as SVTR's code does."""
        trunc_normal_(self.position, std=INIT_STD)
        for part in (self.embed, self.stages):
            for module in part.modules():
                if isinstance(module, nn.Linear):
                    trunc_normal_(module.weight, std=INIT_STD)
                    nn.init.zeros_(module.bias)
                elif isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1] into logits ``(t, n, c)``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into frame features ``(t, n, d)``, t = w/frame_stride."""
        if self.rectifier is not None:
            check_images(images, self.in_chans)
            images = self.rectifier(images)
        check_images(images, self.in_chans, self.height, self.frame_stride)
        feature_map = self.embed(images)  # (n, d, h/4, w/4)
        feature_map = self.stages(feature_map + self._position(feature_map.shape[3]))
        columns = self.norm(feature_map).mean(2)  # (n, d, w/4)
        columns = F.avg_pool1d(columns, self.frame_stride // PATCH)  # (n, d, t)
        return self.combine(columns.permute(2, 0, 1))

    def _position(self, columns: int) -> Tensor:
        rows, built_in = self.position.shape[2:]
        if columns == built_in:
            return self.position
        # bilinear: only the width changes, and its gradient can be deterministic on a GPU
        return F.interpolate(self.position, (rows, columns), mode="bilinear")

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor).

        A rectifier stretches every image to the net's width, so that its frames are always those.
        """
        if self.rectifier is not None:
            width = width * 0 + self.width
        return (width + self.frame_stride - 1) // self.frame_stride


def _stages(sizes: Variant, rows: int, columns: int) -> nn.Sequential:
    """Return the stages, and before the second and third the merging that halves the rows."""
    blocks = sum(sizes.depths)
    local = [number < sizes.local for number in range(blocks)]
    drop_path = [DROP_PATH * number / (blocks - 1) for number in range(blocks)]
    layers: list[nn.Module] = []
    ends = list(accumulate(sizes.depths))
    for i, (dim, heads, depth, end) in enumerate(
        zip(sizes.dims, sizes.heads, sizes.depths, ends, strict=True)
    ):
        if i > 0:
            layers.append(_merging(sizes.dims[i - 1], dim))
            rows = (rows + 1) // 2
        own = slice(end - depth, end)
        layers.append(MixingStage(dim, heads, local[own], drop_path[own], (rows, columns)))
    return nn.Sequential(*layers)


def _merging(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=(2, 1), padding=1)
    return nn.Sequential(convolution, LayerNorm2d(outputs, eps=1e-5))  # this eps: SVTR's code
