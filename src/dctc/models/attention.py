"""Attention recogniser: the frames of a CTC encoder and a small transformer decoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dctc.models.timm_recognizer import TimmRecognizer

END = 0  # class of the end of a reading; a CTC net has its blank there
INIT_STD = 0.02  # of embeddings; BERT's and PARSeq's


class AttentionRecognizer(nn.Module):
    """Frame features of a CTC recogniser, read by a transformer decoder (Vaswani et al., 2017).

    The classes are those of a CTC net with the same charset: class k is the k-th character, and
    class 0, the blank there, is the end of the reading here. What stands before the first character
    is no class but a learnt vector.

    The decoder reads character by character, each from those before it: in training from those of
    the label (teacher forcing), else from its own best.

    Frames past the valid ones are masked. The encoder sees the whole image, its padding too.

    Args:
        num_classes: c, the characters and the end.
        encoder: A CTC recogniser; its ``head`` is taken off, its frame features are read. Or the
            name of an encoder of :class:`TimmRecognizer`.
        size: d, width of the decoder.
        layers: Layers of the decoder.
        heads: Attention heads of a layer.
        dropout: Share of activations and attention weights that training drops in the decoder.
        max_length: Characters of a reading at most.

    Raises:
        ValueError: If the encoder has no linear head, or the size does not suit the heads.

    Example:
        >>> net = AttentionRecognizer(num_classes=37, max_length=5)
        >>> features = net.features(torch.zeros(2, 3, 32, 128))
        >>> net.teach(features, torch.tensor([[11, 12, 13], [11, 0, 0]])).shape
        torch.Size([4, 2, 37])
    """

    def __init__(
        self,
        num_classes: int,
        encoder: str | nn.Module = "small_resnet",
        size: int = 128,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.1,  # Vaswani et al., base model
        max_length: int = 25,  # PARSeq's, for scene text
    ) -> None:
        super().__init__()
        if size % heads or size % 2:
            raise ValueError(f"size {size}: an even multiple of heads, {heads}, is expected")
        self.num_classes, self.max_length = num_classes, max_length
        self.encoder: Any = TimmRecognizer(1, encoder) if isinstance(encoder, str) else encoder
        head = getattr(self.encoder, "head", None)
        if not isinstance(head, nn.Linear):
            name = type(self.encoder).__name__
            raise ValueError(f"encoder {name}: a recogniser with an nn.Linear as head is expected")
        self.encoder.head = nn.Identity()  # parameters without gradient would stop DDP
        self.in_chans: int = getattr(self.encoder, "in_chans", 3)
        self.project = nn.Sequential(nn.Linear(head.in_features, size), nn.LayerNorm(size))
        self.positions = nn.Parameter(torch.empty(max_length + 1, 1, size).normal_(std=INIT_STD))
        self.begin = nn.Parameter(torch.empty(1, 1, size).normal_(std=INIT_STD))
        self.embedding = nn.Embedding(num_classes, size)
        nn.init.normal_(self.embedding.weight, std=INIT_STD)
        self.dropout = nn.Dropout(dropout)
        self.decoder = nn.ModuleList([_Layer(size, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(size)
        self.head = nn.Linear(size, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Read images ``(n, ch, h, w)``; returns what :meth:`decode` does."""
        return self.decode(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1] into frame features ``(t, n, d)``."""
        features = self.project(self.encoder.features(images))
        return features + _sinusoids(features)

    def frames(self, width: Any) -> Any:
        """Return the frames that cover ``width`` pixels (an int or an integer tensor)."""
        return self.encoder.frames(width)

    def teach(self, features: Tensor, targets: Tensor, frames: Tensor | None = None) -> Tensor:
        """Score each character of the label, given those before it (teacher forcing).

        Args:
            features: ``(t, n, d)``, from :meth:`features`.
            targets: ``(n, s)`` labels, padded with the end; s is at most ``max_length``.
            frames: ``(n,)`` valid frames, at least 1; None is all.

        Returns:
            Logits ``(s + 1, n, c)``, for the characters and the end after the last of them.
        """
        return self.head(self._attend(features, targets, frames)[0])

    def decode(self, features: Tensor, frames: Tensor | None = None) -> Tensor:
        """Read greedily.

        Args:
            features: ``(t, n, d)``, from :meth:`features`.
            frames: ``(n,)`` valid frames, at least 1; None is all.

        Returns:
            Logits ``(s, n, c)``, s at most ``max_length + 1``. What follows the first position
            where END is the best class has no meaning.
        """
        n = features.shape[1]
        read = torch.empty(n, 0, dtype=torch.int64, device=features.device)
        ended = torch.zeros(n, dtype=torch.bool, device=features.device)
        logits: list[Tensor] = []
        while len(logits) <= self.max_length and not ended.all():
            # without a cache of what was read before: words are short
            logits.append(self.head(self._attend(features, read, frames)[0][-1]))
            best = logits[-1].argmax(1)  # (n,)
            ended |= best == END
            read = torch.cat([read, best[:, None]], 1)
        return torch.stack(logits)

    def attention(self, images: Tensor, targets: Tensor, width: Tensor | None = None) -> Tensor:
        """Return the attention of the last layer for each character of the label, mean over heads.

        Args:
            images: ``(n, ch, h, w)``.
            targets: ``(n, s)`` labels, padded with the end; s is at most ``max_length``.
            width: ``(n,)`` valid pixels of the width; None is all.

        Returns:
            ``(n, s, t)``: each row sums to 1, in evaluation mode, and is 0 past the valid frames.
            Rows of padding have no meaning.
        """
        frames = None if width is None else self.frames(width).clamp(min=1)
        looks = self._attend(self.features(images), targets, frames, looks=True)[1]
        assert looks is not None
        return looks[:, : targets.shape[1]]

    def _attend(
        self, features: Tensor, targets: Tensor, frames: Tensor | None, looks: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Return the decoder's output ``(s + 1, n, d)`` and, on request, its attention."""
        t, n, _ = features.shape
        padding = None
        if frames is not None:
            position = torch.arange(t, device=features.device)
            padding = position >= frames.to(features.device)[:, None]  # (n, t)
        known = self.embedding(targets.to(features.device).T)  # (s, n, d)
        hidden = torch.cat([self.begin.expand(-1, n, -1), known])
        s = len(hidden)
        hidden = hidden + self.positions[:s]
        causal = torch.ones(s, s, dtype=torch.bool, device=features.device).triu(1)
        hidden, weights = self.dropout(hidden), None
        for layer in self.decoder:
            hidden, weights = layer(hidden, features, causal, padding, looks)
        return self.norm(hidden), weights


class _Layer(nn.Module):
    """Pre-norm decoder layer that returns its attention over frames."""

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(size) for _ in range(3)])
        self.characters = nn.MultiheadAttention(size, heads, dropout)
        self.frames = nn.MultiheadAttention(size, heads, dropout)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, 4 * size),  # Vaswani et al.
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * size, size),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        hidden: Tensor,
        features: Tensor,
        causal: Tensor,
        padding: Tensor | None,
        looks: bool,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output ``(s, n, d)`` and, on request, the attention ``(n, s, t)``."""
        x = self.norms[0](hidden)
        seen, _ = self.characters(x, x, x, attn_mask=causal, need_weights=False)
        hidden = hidden + self.dropout(seen)
        x = self.norms[1](hidden)
        seen, weights = self.frames(
            x, features, features, key_padding_mask=padding, need_weights=looks
        )
        hidden = hidden + self.dropout(seen)
        return hidden + self.dropout(self.feed_forward(self.norms[2](hidden))), weights


def _sinusoids(features: Tensor) -> Tensor:
    """Return positions for frames ``(t, n, d)`` as ``(t, 1, d)`` (Vaswani et al., section 3.5)."""
    t, _, d = features.shape
    even = torch.arange(0, d, 2, device=features.device)
    rate = torch.exp(even * (-math.log(10_000.0) / d))  # (d / 2,)
    angle = torch.arange(t, device=features.device)[:, None] * rate  # (t, d / 2)
    waves = torch.stack([angle.sin(), angle.cos()], 2).flatten(1)  # (t, d)
    return waves[:, None].to(features.dtype)
