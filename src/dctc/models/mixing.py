"""SVTR's mixing blocks: attention among all places of a grid, or among neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from timm.layers import DropPath, Mlp
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = (7, 11)  # rows and columns that local mixing sees; SVTR, section 3.3
MLP_RATIO = 4  # SVTR's configurations
EPS = 1e-6  # of LayerNorm; SVTR's code


def local_mask(height: int, width: int, device: torch.device | None = None) -> Tensor:
    """Return which places of a grid see which: ``(h * w, h * w)`` bool, row by row."""
    rows = torch.arange(height, device=device)
    columns = torch.arange(width, device=device)
    near_rows = (rows[:, None] - rows).abs() <= WINDOW[0] // 2  # (h, h)
    near_columns = (columns[:, None] - columns).abs() <= WINDOW[1] // 2  # (w, w)
    near = near_rows[:, None, :, None] & near_columns[None, :, None, :]  # (h, w, h, w)
    return near.flatten(2).flatten(0, 1)


class Attention(nn.Module):
    """Multi-head self-attention.

    Args:
        dim: Features d.
        heads: Heads.
    """

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
    """Attention and an MLP, each normalised before and added to what came in.

    SVTR's configurations say ``prenorm: False``, which in SVTR's code means x + f(norm(x)), what
    is elsewhere called pre-norm; its ``prenorm: True`` is norm(x + f(x)).

    Args:
        dim: Features d.
        heads: Heads of the attention.
        drop_path: Probability that a sample skips the attention, and the MLP.
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
        heads: Heads of the attention.
        local: For each block whether it mixes among neighbours.
        drop_path: For each block, see :class:`MixingBlock`.
        grid: Rows and columns for which the mask of the neighbours is kept; on another grid it is
            made anew.
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
