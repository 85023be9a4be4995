"""From an image of any size to the size that a recogniser reads."""

from __future__ import annotations

import numpy as np
from PIL import Image


def resize_image(
    image: Image.Image, height: int, width: int, keep_ratio: bool = False
) -> tuple[np.ndarray, int]:
    """Resize an image with Pillow's bicubic filter, as PARSeq (ECCV 2022) does.

    Where the aspect ratio is kept, the image gets the height, and the width that goes with it, at
    most ``width``: a longer line is squashed into it. The rest, on the right, is filled with the
    image's mean colour (ours): black or any other fixed colour would end most images with an edge
    that is as sharp as a stroke, and would weigh on the statistics of a normalisation layer.

    Args:
        image: Of mode ``L`` or ``RGB``.
        height: Pixels (h).
        width: Pixels (w).
        keep_ratio: Whether to keep the aspect ratio; else the image fills the whole width.

    Returns:
        ``(h, w, ch)`` uint8, writable, and the valid width in pixels, from 1 to ``width``.
    """
    valid = width
    if keep_ratio:
        valid = min(max(round(image.width * height / image.height), 1), width)
    pixels = np.array(image.resize((valid, height), Image.Resampling.BICUBIC))
    pixels = pixels.reshape(height, valid, -1)  # (h, valid, ch), also of a grey image
    return pad_right(pixels, width), valid


def pad_right(pixels: np.ndarray, width: int) -> np.ndarray:
    """Fill ``(h, valid, ch)`` uint8 up to a width with its mean colour; the same array if full."""
    height, valid, channels = pixels.shape
    if valid == width:
        return pixels
    padded = np.empty((height, width, channels), dtype=np.uint8)
    padded[:, :valid] = pixels
    padded[:, valid:] = np.rint(pixels.mean((0, 1)))
    return padded
