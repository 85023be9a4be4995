"""Decode images, upright and opaque."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

Image.init()  # registers all formats
# The formats that are read, by Pillow's names. Others start programs (EPS starts Ghostscript), or
# hold no words. TGA is last: it has no signature.
FORMATS = tuple(
    name
    for name in "JPEG PNG GIF BMP DIB TIFF WEBP AVIF JPEG2000 PPM PCX SGI QOI TGA".split()
    if name in Image.OPEN  # older Pillow has no AVIF
)
# of MPO, which is a JPEG with further pictures behind it, the first is read
SUFFIXES = frozenset(s for s, name in Image.EXTENSION.items() if name in (*FORMATS, "MPO"))
MAX_PIXELS = 40_000_000  # ours: a page of A4 at 600 dpi has 35 million; some bytes for each
_EIGHT_BITS, _SIXTEEN_BITS = 255, 65_535  # the largest levels
_TAGGED = {"exif", "xmp", "Raw profile type exif"}  # where Pillow looks for it; the last of PNG
# larger images are refused below, by name; Pillow's own warning does not know which one it is
warnings.simplefilter("ignore", Image.DecompressionBombWarning, append=True)


class ImageError(ValueError):
    """An image cannot be read; its argument says why: a kind, a colon, and details in one line."""

    def __str__(self) -> str:
        return f"image cannot be decoded ({self.args[0]})"

    @property
    def kind(self) -> str:
        """The reason in a few words, the same for all images with this fault."""
        return str(self.args[0]).partition(":")[0]


@contextmanager
def _opened(source: bytes | Path) -> Iterator[Image.Image]:
    """Open an image of :data:`FORMATS`; whatever its decoder raises becomes an ImageError."""
    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise ImageError("no file: a folder, pipe or device")
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                most = f"at most {MAX_PIXELS:,} pixels are read"
                raise ImageError(f"too large: {width:,} x {height:,}; {most}")
            yield image
    except ImageError:
        raise
    except Exception as error:  # decoders raise what the bytes make of them: TypeError, KeyError...
        # without the memory address or the path that Pillow names
        reason = " ".join(str(error).split()).partition(" <_io")[0]
        if isinstance(source, Path):
            reason = reason.replace(repr(str(source)), "").strip(" :")
        large = isinstance(error, Image.DecompressionBombError)
        kind = "too large" if large else type(error).__name__
        raise ImageError(f"{kind}: {reason}") from error


def load_image(source: bytes | Path, grayscale: bool = False) -> Image.Image:
    """Decode an image as viewers show it: upright, opaque, of mode ``RGB`` or ``L``.

    Everything that reads images does it here.

    Args:
        source: The encoded image, or its file.
        grayscale: One channel instead of three.

    Raises:
        ImageError: If it cannot be decoded, is no file, or has more than :data:`MAX_PIXELS`.
    """
    with _opened(source) as image:
        image.load()  # turns a TIFF itself, and then it has no orientation
        with suppress(
            Exception
        ):  # SyntaxError, struct.error... of broken EXIF: the pixels are there
            ImageOps.exif_transpose(image, in_place=True)
        # a copy even where the mode is the same, so that nothing of the file is left
        return opaque(image).convert("L" if grayscale else "RGB")


def as_png(image: Image.Image) -> bytes:
    """Return an image encoded without loss."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def upright_size(source: bytes | Path) -> tuple[int, int]:
    """Return width and height of an image when it is upright; reads the header alone.

    Raises:
        ImageError: As :func:`load_image`.
    """
    with _opened(source) as image:
        size, turned_already = image.size, image.format == "TIFF"
        if turned_already or not image.info.keys() & _TAGGED:
            return size
        try:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        except Exception:  # as in load_image
            return size
        return size[::-1] if orientation in (5, 6, 7, 8) else size


def opaque(image: Image.Image) -> Image.Image:
    """Convert an image to 8 bits a channel, and lay what is transparent on white or black.

    It is white, as in viewers, unless all that is visible is light, such as white letters. Pillow's
    own conversion drops transparency, so that black on nothing is black on black, and clips 16 bits
    a pixel to white.

    Raises:
        ImageError: If its levels are neither 8 nor 16 bits.
    """
    if image.mode.startswith("I"):
        image = _eight_bits(image)
    if image.mode == "F":
        raise ImageError("mode F: what its numbers mean is not known; save it with 8 bits")
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    alpha, levels = np.asarray(image.getchannel("A")), np.asarray(image.convert("L"))
    dark = np.percentile(levels[alpha >= alpha.max() / 2], 2) <= _EIGHT_BITS / 2
    return Image.alpha_composite(Image.new("RGBA", image.size, "white" if dark else "black"), image)


def _eight_bits(image: Image.Image) -> Image.Image:
    levels = np.array(image)
    if levels.min() < 0 or levels.max() > _SIXTEEN_BITS:
        raise ImageError(f"mode {image.mode}: its levels are beyond 16 bits")
    deep = image.mode != "I" or levels.max() > _EIGHT_BITS  # I has room for more than it holds
    ratio = _SIXTEEN_BITS // _EIGHT_BITS
    scaled = (levels.astype(np.int32) + ratio // 2) // ratio if deep else levels  # rounded
    grey = Image.fromarray(scaled.astype(np.uint8))
    if "transparency" in image.info:
        seen = levels != image.info["transparency"]
        grey.putalpha(Image.fromarray(seen.astype(np.uint8) * _EIGHT_BITS))
    return grey
