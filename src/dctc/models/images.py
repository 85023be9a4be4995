"""The check that an image batch fits a net."""

from __future__ import annotations

from torch import Tensor


def check_images(
    images: Tensor, channels: int, height: int | None = None, width_multiple: int = 1
) -> None:
    """Refuse images that a net cannot take.

    Args:
        images: ``(n, ch, h, w)``.
        channels: Channels that the net expects.
        height: Height that the net expects, in pixels; None takes any.
        width_multiple: Pixels of which the width has to be a multiple.

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
    if w % width_multiple:
        raise ValueError(f"images are {w} wide, not a multiple of {width_multiple}")
