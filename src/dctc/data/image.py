"""Decoding images."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

# What Pillow raises for images that are broken, of an unknown format or absurdly large.
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


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
            return opened.convert("L" if grayscale else "RGB")
    except UNDECODABLE as error:
        # one line, without the memory address or the path that Pillow names
        reason = " ".join(str(error).split()).partition(" <_io")[0]
        if isinstance(source, Path):
            reason = reason.replace(repr(str(source)), "").strip(" :")
        raise ValueError(f"image cannot be decoded ({type(error).__name__}: {reason})") from error
