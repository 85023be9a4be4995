"""SVTR: a single visual model for text (Du et al., IJCAI 2022, arXiv 2205.00159)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import torch
from timm.layers import ConvNormAct, DropPath, LayerNorm2d, Mlp, trunc_normal_
from torch import Tensor, nn
from torch.nn import functional as F

from dctc.models.recognizer import check_images
from dctc.models.rectifier import Rectifier

PATCH = 4  # pixels of height and width per place of the grid: two convolutions of stride 2
WINDOW = (7, 11)  # rows and columns that local mixing sees; SVTR, section 3.3
# The rest is of SVTR's code and configurations.
DROP_PATH = 0.1  # of the last block, rising linearly from 0
DROPOUT = 0.1  # before the head
MLP_RATIO = 4
INIT_STD = 0.02
EPS = 1e-6  # of LayerNorm


class Variant(NamedTuple):
    """The sizes of an SVTR."""

    dims: tuple[int, int, int]  # features of each stage
    depths: tuple[int, int, int]  # blocks of each stage
    heads: tuple[int, int, int]  # attention heads of each stage
    local: int  # so many blocks, from the first, mix among neighbours; the others mix all
    out: int  # d, features of a frame


VARIANTS = {  # Table 1 and the authors' configurations
    "tiny": Variant((64, 128, 256), (3, 6, 3), (2, 4, 8), 6, 192),
    "small": Variant((96, 192, 256), (3, 6, 6), (3, 6, 8), 8, 192),
    "base": Variant((128, 256, 384), (3, 6, 9), (4, 8, 12), 8, 256),
    "large": Variant((192, 256, 512), (3, 9, 9), (6, 8, 16), 10, 384),
    "micro": Variant((32, 64, 96), (1, 2, 1), (1, 2, 3), 2, 96),  # ours, for a CPU: 0.3 M
}


class SVTR(nn.Module):
    """Three stages of local and global attention, the mean over height, a linear CTC head.

    Args:
        num_classes: Classes including the blank.
        variant: ``tiny``, ``small``, ``base`` or ``large``; ``micro`` is ours, for a CPU.
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
        variant: Literal["tiny", "small", "base", "large", "micro"] = "tiny",
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
        dim, rows, columns = sizes.dims[0], height // PATCH, width // PATCH
        self.rectifier = Rectifier(height, width, in_chans) if rectifier else None
        self.embed = nn.Sequential(
            ConvNormAct(in_chans, dim // 2, 3, stride=2, act_layer=nn.GELU),
            ConvNormAct(dim // 2, dim, 3, stride=2, act_layer=nn.GELU),
        )
        self.position = nn.Parameter(torch.empty(1, dim, rows, columns))
        self.stages = _stages(sizes, rows, columns)
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
            convolution = nn.Conv2d(sizes.dims[i - 1], dim, 3, stride=(2, 1), padding=1)
            layers.append(nn.Sequential(convolution, LayerNorm2d(dim, eps=1e-5)))  # eps: its code
            rows = (rows + 1) // 2
        own = slice(end - depth, end)
        layers.append(MixingStage(dim, heads, local[own], drop_path[own], (rows, columns)))
    return nn.Sequential(*layers)


def local_mask(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return which places of a grid see which: ``(h * w, h * w)`` bool, row by row."""
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)
    near_rows = (rows[:, None] - rows).abs() <= WINDOW[0] // 2  # (h, h)
    near_columns = (columns[:, None] - columns).abs() <= WINDOW[1] // 2  # (w, w)
    near = near_rows[:, None, :, None] & near_columns[None, :, None, :]  # (h, w, h, w)
    return near.flatten(2).flatten(0, 1)


class Attention(nn.Module):
    """Multi-head self-attention over ``heads`` of ``dim`` features d."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Mix ``(n, h * w, d)``; places see each other where ``mask`` is true, or all do."""
        qkv = self.qkv(tokens).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind()  # (n, heads, h * w, d / heads)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class MixingBlock(nn.Module):
    """Pre-norm transformer block: attention and an MLP, each normalised before and added.

    SVTR's configurations say ``prenorm: False``, which in SVTR's code means x + f(norm(x)), what
    is elsewhere called pre-norm; its ``prenorm: True`` is norm(x + f(x)). With probability
    ``drop_path`` a sample skips the attention, and the MLP.
    """

    def __init__(self, dim: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, EPS)
        self.attention = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, EPS)
        self.mlp = Mlp(dim, MLP_RATIO * dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Mix ``(n, h * w, d)``; see :class:`Attention`."""
        tokens = tokens + self.drop_path(self.attention(self.norm1(tokens), mask))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))


class MixingStage(nn.Module):
    """Blocks on a grid of one size.

    Args:
        dim: Features d.
        heads: Attention heads.
        local: For each block whether it mixes among neighbours.
        drop_path: For each block, see :class:`MixingBlock`.
        grid: Rows and columns that the mask of neighbours is kept for; others get one of their own.
    """

    mask: Tensor | None

    def __init__(
        self,
        dim: int,
        heads: int,
        local: Sequence[bool],
        drop_path: Sequence[float],
        grid: tuple[int, int],
    ) -> None:
        super().__init__()
        self.local = tuple(local)
        self.grid = grid
        self.blocks = nn.ModuleList(MixingBlock(dim, heads, drop) for drop in drop_path)
        mask = local_mask(*grid) if any(local) else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, feature_map: Tensor) -> Tensor:
        """Mix ``(n, d, h, w)``."""
        h, w = feature_map.shape[2:]
        mask = self.mask
        if mask is not None and (h, w) != self.grid:
            mask = local_mask(h, w, feature_map.device)
        tokens = feature_map.flatten(2).mT  # (n, h * w, d)
        for block, local in zip(self.blocks, self.local, strict=True):
            tokens = block(tokens, mask if local else None)
        return tokens.mT.unflatten(2, (h, w))
