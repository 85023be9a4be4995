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
    """Size and channels of the images that a recogniser reads.

    Where the aspect ratio is kept, the rest, on the right, is filled with the image's mean colour
    (ours): black or any other fixed colour would end most images with an edge that is as sharp as a
    stroke, and would weigh on the statistics of a normalisation layer.

    Attributes:
        height: Pixels (h).
        width: Pixels (w).
        grayscale: One channel instead of three.
        keep_ratio: Keep the aspect ratio and pad on the right; a line that is longer than the width
            is squashed into it. Else the image fills the whole width.
        rotate_tall: Turn images of more than :data:`TALL` times their width in height by a quarter,
            ``left`` or ``right``, before they are resized; ``off`` (or False, which YAML makes of
            it) squashes them. Narrow letters such as I are turned too.
        fill: Level of the padding, 0 to 255; None is the image's mean colour.
        min_width: Pad to this width alone, or, a longer image, to the next multiple of
            :data:`WIDTH_STEP`, and squash what is longer than ``width``. None pads to ``width``.

    Raises:
        ValueError: If a size is not positive, ``fill`` no level, or ``rotate_tall`` anything else.
    """

    height: int = HEIGHT
    width: int = WIDTH
    grayscale: bool = False
    keep_ratio: bool = False
    rotate_tall: RotateTall | Literal[False] = "off"
    fill: int | None = None
    min_width: int | None = None

    def __post_init__(self) -> None:
        if self.rotate_tall not in ("off", False, "left", "right"):
            raise ValueError(f"rotate_tall {self.rotate_tall!r}: give off, left or right")
        if min(self.height, self.width) < 1:
            raise ValueError(f"images of {self.height} x {self.width} pixels: give 1 or more")
        if self.fill is not None and not 0 <= self.fill <= 255:
            raise ValueError(f"fill {self.fill}: give a level from 0 to 255, or none")

    def turn(self, width: int, height: int) -> Image.Transpose | None:
        """Return how an image of this size is turned before it is resized; None if it is not."""
        if self.rotate_tall not in ("left", "right") or height <= TALL * width:
            return None
        return (
            Image.Transpose.ROTATE_90 if self.rotate_tall == "left" else Image.Transpose.ROTATE_270
        )

    def valid(self, width: int, height: int) -> int:
        """Return how many pixels of the width an image of this size fills, from 1 on."""
        if not self.keep_ratio:
            return self.width
        return min(max(round(width * self.height / height), 1), self.width)

    def boxes(self, width: int, height: int, limits: np.ndarray) -> np.ndarray:
        """Return boxes in an upright image, as high as its line, from limits in what it became.

        Args:
            width: Of the image.
            height: Of the image.
            limits: ``(s, 2)`` left and right limit in pixels of the resized image.

        Returns:
            ``(s, 4)`` float64: left, top, right, bottom, in pixels of the image.
        """
        turn = self.turn(width, height)
        along, across = (width, height) if turn is None else (height, width)
        begin, end = np.clip(limits * (along / self.valid(along, across)), 0, along).T
        if turn == Image.Transpose.ROTATE_270:  # what is left lay at the bottom
            begin, end = along - end, along - begin
        low, high = np.zeros_like(begin), np.full_like(begin, across)
        sides = (begin, low, end, high) if turn is None else (low, begin, high, end)
        return np.stack(sides, 1)

    def resize(self, image: Image.Image) -> tuple[np.ndarray, int]:
        """Resize with Pillow's bicubic filter, as PARSeq (Bautista & Atienza, ECCV 2022) does.

        Args:
            image: Of mode ``L`` or ``RGB``; it is not turned.

        Returns:
            ``(h, w, ch)`` uint8, writable, and the valid width in pixels.
        """
        valid, width = self.valid(*image.size), self.width
        pixels = np.array(image.resize((valid, self.height), Image.Resampling.BICUBIC))
        pixels = pixels.reshape(self.height, valid, -1)  # (h, valid, ch), also of a grey image
        if self.min_width is not None:
            width = min(max(self.min_width, -(-valid // WIDTH_STEP) * WIDTH_STEP), width)
        return pad_right(pixels, width, self.fill), valid

    def sample(
        self, source: bytes | Path | None, label: str, key: str, extents: np.ndarray | None = None
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
        pixels, valid = self.resize(image)
        if extents is not None:
            extents = extents * np.float32(valid / image.width)
        return Sample(pixels, label, key, extents, valid)


SIZE = ImageSize()  # the usual one
