"""What RecognizerModule expects of a net."""

from __future__ import annotations

from typing import Protocol, overload, runtime_checkable

from torch import Tensor


@runtime_checkable
class Recognizer(Protocol):
    """A net from images to frame-wise class scores.

    ``net(images)`` is ``net.head(net.features(images))``.

    Attributes:
        num_classes: c, the classes including the blank.
    """

    num_classes: int

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` in [-1, 1] into logits ``(t, n, c)``."""

    def features(self, images: Tensor) -> Tensor:
        """Turn images ``(n, ch, h, w)`` into frame features ``(t, n, d)``."""

    def head(self, features: Tensor) -> Tensor:
        """Turn frame features ``(t, n, d)`` into logits ``(t, n, c)``."""

    @overload
    def frames(self, width: int) -> int: ...
    @overload
    def frames(self, width: Tensor) -> Tensor: ...
    def frames(self, width: int | Tensor) -> int | Tensor:
        """Return how many frames cover so many pixels of width."""
