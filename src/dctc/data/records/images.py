"""Decode, resize and pad images, and read folders of images that need no labels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.sampler import Draw
from dctc.files import walk

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
HEIGHT, WIDTH = 32, 128  # pixels of an image, unless data or net have others
WIDTH_STEP = 32  # pixels, ours: widths of images that are padded to no common one
TALL = 1.5  # height over width from which a crop is turned, as in PaddleOCR's detection
RotateTall = Literal["off", "left", "right"]
_EIGHT_BITS, _SIXTEEN_BITS = 255, 65_535  # the largest levels
_ORIENTATION = 0x0112  # tag of EXIF
_TAGGED = {"exif", "xmp", "Raw profile type exif"}  # where Pillow looks for it; the last of PNG
_TURN = Image.Transpose
# What makes an image upright, by its orientation (EXIF 2.32, section 4.6.4)
UPRIGHT = {
    2: _TURN.FLIP_LEFT_RIGHT,
    3: _TURN.ROTATE_180,
    4: _TURN.FLIP_TOP_BOTTOM,
    5: _TURN.TRANSPOSE,
    6: _TURN.ROTATE_270,
    7: _TURN.TRANSVERSE,
    8: _TURN.ROTATE_90,
}
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
        upright = UPRIGHT.get(_orientation(image))
        shown = opaque(image if upright is None else image.transpose(upright))
        # a copy even where the mode is the same, so that nothing of the file is left
        return shown.convert("L" if grayscale else "RGB")


def image_header(source: bytes | Path) -> tuple[int, int, int]:
    """Return width and height of an image when it is upright, and its orientation (EXIF, 1 to 8).

    Reads the header alone.

    Raises:
        ImageError: As :func:`load_image`.
    """
    with _opened(source) as image:
        width, height = image.size
        turned_already = image.format == "TIFF"
        tagged = turned_already or image.info.keys() & _TAGGED
        orientation = _orientation(image) if tagged else 1
        if orientation in (5, 6, 7, 8) and not turned_already:
            width, height = height, width
        return width, height, orientation if orientation in UPRIGHT else 1


def image_size(source: bytes | Path) -> tuple[int, int]:
    """Return width and height of an image when it is upright, see :func:`image_header`."""
    return image_header(source)[:2]


def _orientation(image: Image.Image) -> int:
    """Return the orientation of an image; 1 (upright) where its EXIF is broken, as in viewers."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # SyntaxError, struct.error... of data that the pixels do not need
        return 1


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
        return _TURN.ROTATE_90 if self.rotate_tall == "left" else _TURN.ROTATE_270

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


class ImageFiles(Dataset[Sample | Corrupt]):
    """Image files, and the images of folders and of the folders below them, each folder sorted.

    Links are followed; a folder reached twice is read once, and so is a file.

    Args:
        path: Folder or file, or several. In a folder, files with another suffix than
            :data:`SUFFIXES` are left out.
        size: What the images become.

    Attributes:
        others: How many files were left out.

    Raises:
        FileNotFoundError: If there is no such path, or no image in it.
    """

    def __init__(self, path: str | Path | Sequence[Path], size: ImageSize) -> None:
        self.size, self.others = size, 0
        paths = [Path(path)] if isinstance(path, (str, Path)) else list(path)
        self.files: dict[str, Path] = {}  # by key
        for one in paths:
            for file in sorted(self._files(one), key=Path.as_posix):
                self.files[file.as_posix()] = file
        if isinstance(path, (str, Path)):
            top = Path(path) if Path(path).is_dir() else Path(path).parent
            self.files = {file.relative_to(top).as_posix(): file for file in self.files.values()}
        self.names = list(self.files)

    def _files(self, path: Path) -> list[Path]:
        if path.is_file():
            return [path]
        if not path.is_dir():
            raise FileNotFoundError(f"images {path}: neither a folder nor a file")
        files = [Path(folder, name) for folder, _, names in walk(path) for name in names]
        images = [file for file in files if file.suffix.lower() in SUFFIXES]
        self.others += len(files) - len(images)
        if not images:
            raise FileNotFoundError(
                f"images {path}: no image in it ({', '.join(sorted(SUFFIXES))}) and no data.mdb"
            )
        return images

    def __len__(self) -> int:
        return len(self.names)

    def key(self, index: int) -> str:
        """Return the path of an image: relative to the folder, or as given if several were."""
        return self.names[index]

    def source(self, index: int) -> Path:
        """Return the file of an image."""
        return self.files[self.names[index]]

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        """Return an image with the empty label, or why it cannot be read."""
        index = draw.index if isinstance(draw, Draw) else draw
        return self.size.sample(self.source(index), "", self.key(index))
