"""Resize, pad and turn images to the size that a recogniser reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.images import ImageError, load_image

HEIGHT, WIDTH = 32, 128  # pixels of an image, unless data or net have others
WIDTH_STEP = 32  # pixels, ours: widths of images that are padded to no common one
TALL = 1.5  # height over width from which a crop is turned, as in PaddleOCR's detection
RotateTall = Literal["off", "left", "right"]


def resize_image(
    image: Image.Image,
    height: int,
    width: int,
    keep_ratio: bool = False,
    fill: int | None = None,
    min_width: int | None = None,
) -> tuple[np.ndarray, int]:
    """Resize an image with Pillow's bicubic filter, as PARSeq (Bautista & Atienza, ECCV 2022) does.

    There the aspect ratio is not kept. Where it is, the image gets the height, and the width that
    goes with it, at most ``width``: a longer line is squashed into it. The rest, on the right, is
    filled with the image's mean colour (ours): black or any other fixed colour would end most
    images with an edge that is as sharp as a stroke, and would weigh on the statistics of a
    normalisation layer.

    Args:
        image: Of mode ``L`` or ``RGB``.
        height: Pixels (h).
        width: Pixels (w).
        keep_ratio: Whether to keep the aspect ratio; else the image fills the whole width.
        fill: Level of the padding; None is the mean colour.
        min_width: Pad to this width alone, or, a longer image, to the next multiple of
            :data:`WIDTH_STEP`, and squash what is longer than ``width``. None pads to ``width``.

    Returns:
        ``(h, w, ch)`` uint8, writable, and the valid width in pixels, from 1 to ``width``.
    """
    valid = valid_width(*image.size, height, width) if keep_ratio else width
    pixels = np.array(image.resize((valid, height), Image.Resampling.BICUBIC))
    pixels = pixels.reshape(height, valid, -1)  # (h, valid, ch), also of a grey image
    if min_width is not None:
        width = min(max(min_width, -(-valid // WIDTH_STEP) * WIDTH_STEP), width)
    return pad_right(pixels, width, fill), valid


def valid_width(image_width: int, image_height: int, height: int, width: int) -> int:
    """Return how wide an image becomes at a height that keeps its aspect ratio, from 1 to width."""
    return min(max(round(image_width * height / image_height), 1), width)


def pad_right(pixels: np.ndarray, width: int, fill: int | None = None) -> np.ndarray:
    """Pad ``(h, valid, ch)`` uint8 to a width, with its mean colour unless a level is given.

    Returns:
        The same array if it is full.
    """
    height, valid, channels = pixels.shape
    if valid == width:
        return pixels
    padded = np.empty((height, width, channels), dtype=np.uint8)
    padded[:, :valid] = pixels
    padded[:, valid:] = np.rint(pixels.mean((0, 1))) if fill is None else fill
    return padded


@dataclass(frozen=True)
class ImageSize:
    """Size and channels of the images that a recogniser reads, see :func:`resize_image`.

    Attributes:
        height: Pixels (h).
        width: Pixels (w).
        grayscale: One channel instead of three.
        keep_ratio: Keep the aspect ratio and pad on the right.
        rotate_tall: Turn images of more than :data:`TALL` times their width in height by a quarter,
            ``left`` or ``right``, before they are resized; ``off`` (or False, which YAML makes of
            it) squashes them. Narrow letters such as I are turned too.
        fill: Level of the padding, 0 to 255; None is the image's mean colour.
        min_width: See :func:`resize_image`; None gives all images the same width.

    Raises:
        ValueError: If ``rotate_tall`` is anything else.
    """

    height: int = 32
    width: int = 128
    grayscale: bool = False
    keep_ratio: bool = False
    rotate_tall: RotateTall | Literal[False] = "off"
    fill: int | None = None
    min_width: int | None = None

    def __post_init__(self) -> None:
        if self.rotate_tall not in ("off", False, "left", "right"):
            raise ValueError(f"rotate_tall {self.rotate_tall!r}: give off, left or right")

    def turn(self, width: int, height: int) -> Image.Transpose | None:
        """Return how an image of this size is turned before it is resized; None if it is not."""
        if self.rotate_tall not in ("left", "right") or height <= TALL * width:
            return None
        return (
            Image.Transpose.ROTATE_90 if self.rotate_tall == "left" else Image.Transpose.ROTATE_270
        )

    def sample(
        self,
        source: bytes | Path | None,
        label: str,
        key: str,
        extents: np.ndarray | None = None,
    ) -> Sample | Corrupt:
        """Decode and resize an image, its bytes or file, and scale the extents ``(s, 2)`` with it.

        An image that is turned has no extents: its characters stand below each other.
        """
        if source is None:
            return Corrupt(key, "image missing")
        try:
            image = load_image(source, self.grayscale)
        except ImageError as error:
            return Corrupt(key, str(error))
        if (turn := self.turn(*image.size)) is not None:
            image, extents = image.transpose(turn), None
        pixels, valid = resize_image(
            image, self.height, self.width, self.keep_ratio, self.fill, self.min_width
        )
        if extents is not None:
            extents = extents * np.float32(valid / image.width)
        return Sample(pixels, label, key, extents, valid)


SIZE = ImageSize()  # the usual one
