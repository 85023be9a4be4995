"""Decoding images."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

_EIGHT_BITS, _SIXTEEN_BITS = 255, 65_535  # the largest levels
# What Pillow raises for images that are broken, of an unknown format or absurdly large.
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


def opaque(image: Image.Image) -> Image.Image:
    """Return an image of 8 bits a channel, on white where it is transparent.

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
        # one line, without the memory address or the path that Pillow names
        reason = " ".join(str(error).split()).partition(" <_io")[0]
        if isinstance(source, Path):
            reason = reason.replace(repr(str(source)), "").strip(" :")
        raise ValueError(f"image cannot be decoded ({type(error).__name__}: {reason})") from error
