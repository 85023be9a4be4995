"""What every converter yields: one labelled word whose image is read only when it is needed."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from dctc.data.records.image import opaque


class Word(NamedTuple):
    """One labelled word of an archive.

    Attributes:
        name: Where it stands, for messages.
        label: Text, as the archive has it.
        read: Returns the encoded image. It raises OSError if the file cannot be read, and
            ValueError if there is nothing to crop.
    """

    name: str
    label: str
    read: Callable[[], bytes]


def word_file(images: Path, name: str, label: str) -> Word:
    """Return a word whose image is a whole file, kept byte for byte."""
    return Word(name, label, (images / name).read_bytes)


class Crops:
    """Crops of one image, which is opened when the first of them is read.

    Args:
        file: The image.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._image: Image.Image | None = None

    def word(self, name: str, label: str, box: tuple[float, float, float, float]) -> Word:
        """Return the word in a box.

        Args:
            name: Where it stands.
            label: Text.
            box: Left, top, right, bottom in pixels; rounded outwards and clipped to the image.
        """
        return Word(name, label, lambda: self._crop(box))

    def _crop(self, box: tuple[float, float, float, float]) -> bytes:
        if self._image is None:
            with Image.open(self.file) as opened:
                self._image = opaque(opened).convert("RGB")
        width, height = self._image.size
        left, top = max(0, int(box[0] // 1)), max(0, int(box[1] // 1))
        right, bottom = min(width, int(-(-box[2] // 1))), min(height, int(-(-box[3] // 1)))
        if right <= left or bottom <= top:
            raise ValueError("its box lies outside of the image or is empty")
        buffer = io.BytesIO()
        self._image.crop((left, top, right, bottom)).save(buffer, "PNG")
        return buffer.getvalue()


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers from 1.

    Raises:
        ValueError: If it is not UTF-8 (a byte order mark is taken off).
    """
    number = 0
    try:
        with file.open(encoding="utf-8-sig", newline="\n") as stream:
            for number, line in enumerate(stream, start=1):
                line = line.removesuffix("\n").removesuffix("\r")
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is not UTF-8 after line {number} ({error.reason})") from error
