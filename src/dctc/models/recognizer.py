"""Interface of a recogniser, and the check that images fit one."""

from __future__ import annotations

from typing import NamedTuple, Protocol, overload, runtime_checkable

from torch import Tensor


class ImageFormat(NamedTuple):
    """How a net expects its images, where it was trained elsewhere.

    A net that has one has it as ``image_format``, and its class a function ``image_format_of`` that
    finds it from the net's arguments alone.

    Attributes:
        height: Pixels (h).
        width: Pixels (w) of the usual image; the least that images are padded to.
        keep_ratio: Whether images keep their aspect ratio and are padded on the right.
        fill: Level of the padding, 0 to 255; None is the mean colour of the image.
        channels: 3, RGB, or 1.
        fixed_width: Whether images have this width, and no other.
    """

    height: int
    width: int
    keep_ratio: bool
    fill: int | None = None
    channels: int = 3
    fixed_width: bool = False


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


def check_images(
    images: Tensor,
    channels: int,
    height: int | None = None,
    width_multiple: int = 1,
    width: int | None = None,
) -> None:
    """Refuse images that a net cannot take.

    Args:
        images: ``(n, ch, h, w)``.
        channels: Channels that the net expects.
        height: Height that the net expects, in pixels; None takes any.
        width_multiple: Pixels of which the width has to be a multiple.
        width: Width that the net expects, in pixels, in place of a multiple.

    Raises:
        ValueError: If they do not fit; it names what they are and what the net expects.
    """
    if images.ndim != 4:
        raise ValueError(
            f"images are of shape {tuple(images.shape)}, the net expects (n, ch, h, w)"
        )
    _, ch, h, w = images.shape
    if ch != channels:
        raise ValueError(f"images have {ch} channels, the net expects {channels}")
    if height is not None and h != height:
        raise ValueError(f"images are {h} high, the net expects {height}")
    if width is not None and w != width:
        raise ValueError(f"images are {w} wide, the net expects {width}")
    if width is None and w % width_multiple:
        raise ValueError(f"images are {w} wide, not a multiple of {width_multiple}")
