"""Decode, resize and pad images, and read folders of images that need no labels."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.sampler import Draw

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)
# What Pillow raises for images that are broken, of an unknown format or absurdly large.
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
_EIGHT_BITS, _SIXTEEN_BITS = 255, 65_535  # the largest levels


def opaque(image: Image.Image) -> Image.Image:
    """Convert an image to 8 bits a channel, on white where it is transparent.

    Pillow's own conversion drops transparency, so that black on nothing is black on black, and
    clips 16 bits a pixel to white.

    Raises:
        ValueError: If its levels are neither 8 nor 16 bits.
    """
    if image.mode.startswith("I"):
        levels = np.array(image)
        if "transparency" in image.info:
            levels[levels == image.info["transparency"]] = _SIXTEEN_BITS
        if levels.min() < 0 or levels.max() > _SIXTEEN_BITS:
            raise ValueError(f"mode {image.mode} with levels beyond 16 bits")
        deep = image.mode != "I" or levels.max() > _EIGHT_BITS  # I has room for more than it holds
        scaled = levels / (_SIXTEEN_BITS / _EIGHT_BITS) if deep else levels
        return Image.fromarray(np.rint(scaled).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("mode F: what its numbers mean is not known; save it with 8 bits")
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA"))
    return image


def load_image(source: bytes | Path, grayscale: bool = False) -> Image.Image:
    """Decode an image, of mode ``RGB`` or ``L``.

    Args:
        source: The encoded image, or its file.
        grayscale: One channel instead of three.

    Raises:
        ValueError: If it cannot be decoded; the message says why, in one line.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            # a copy even where the mode is the same, so that all is decoded before the file closes
            return opaque(opened).convert("L" if grayscale else "RGB")
    except UNDECODABLE as error:
        reason = decoding_error(error).partition(": ")[2]
        if isinstance(source, Path):
            reason = reason.replace(repr(str(source)), "").strip(" :")
        raise ValueError(f"image cannot be decoded ({type(error).__name__}: {reason})") from error


def decoding_error(error: Exception) -> str:
    """Return an error of Pillow in one line, without the memory address that it names."""
    return f"{type(error).__name__}: " + " ".join(str(error).split()).partition(" <_io")[0]


def resize_image(
    image: Image.Image, height: int, width: int, keep_ratio: bool = False
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
    """Pad ``(h, valid, ch)`` uint8 to a width with its mean colour; the same array if full."""
    height, valid, channels = pixels.shape
    if valid == width:
        return pixels
    padded = np.empty((height, width, channels), dtype=np.uint8)
    padded[:, :valid] = pixels
    padded[:, valid:] = np.rint(pixels.mean((0, 1)))
    return padded


@dataclass(frozen=True)
class ImageSize:
    """Size and channels of the images that a recogniser reads, see :func:`resize_image`.

    Attributes:
        height: Pixels (h).
        width: Pixels (w).
        grayscale: One channel instead of three.
        keep_ratio: Keep the aspect ratio and pad on the right.
    """

    height: int = 32
    width: int = 128
    grayscale: bool = False
    keep_ratio: bool = False

    def sample(
        self,
        source: bytes | Path | None,
        label: str,
        key: str,
        extents: np.ndarray | None = None,
    ) -> Sample | Corrupt:
        """Decode and resize an image, and scale the extents of its label's characters with it.

        Args:
            source: The encoded image, or its file; None if it is missing.
            label: Of the sample.
            key: Of the sample.
            extents: ``(s, 2)`` float32 in pixels of the image, or None.

        Returns:
            The sample, or why the image cannot be read.
        """
        if source is None:
            return Corrupt(key, "image missing")
        try:
            image = load_image(source, self.grayscale)
        except ValueError as error:
            return Corrupt(key, str(error))
        pixels, valid = resize_image(image, self.height, self.width, self.keep_ratio)
        if extents is not None:
            extents = extents * np.float32(valid / image.width)
        return Sample(pixels, label, key, extents, valid)


SIZE = ImageSize()  # the usual one


class ImageFiles(Dataset[Sample | Corrupt]):
    """The images of a folder and of the folders below it, sorted, or a single file.

    Args:
        path: Folder or file. In a folder, files with another suffix than :data:`SUFFIXES` are left
            out.
        size: What the images become.

    Attributes:
        others: How many files were left out.

    Raises:
        FileNotFoundError: If there is no such path, or no image in it.
    """

    def __init__(self, path: str | Path, size: ImageSize) -> None:
        path, self.size = Path(path), size
        if path.is_file():
            self.folder, self.names, self.others = path.parent, [path.name], 0
            return
        if not path.is_dir():
            raise FileNotFoundError(f"images {path}: neither a folder nor a file")
        files = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        images = [file for file in files if file.suffix.lower() in SUFFIXES]
        self.folder, self.others = path, len(files) - len(images)
        self.names = sorted(file.relative_to(path).as_posix() for file in images)
        if not images:
            raise FileNotFoundError(
                f"images {path}: no image in it ({', '.join(sorted(SUFFIXES))}) and no data.mdb"
            )

    def __len__(self) -> int:
        return len(self.names)

    def key(self, index: int) -> str:
        """Return the path of an image relative to the folder."""
        return self.names[index]

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        """Return an image with the empty label, or why it cannot be read."""
        key = self.key(draw.index if isinstance(draw, Draw) else draw)
        return self.size.sample(self.folder / key, "", key)
