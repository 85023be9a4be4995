"""Images to be read, whether or not anybody has labelled them: a folder, a file or an LMDB."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.environment import count_records, open_environment
from dctc.data.records.image import load_image
from dctc.data.records.resize import resize_image
from dctc.data.records.sampler import Draw

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)


@dataclass(frozen=True)
class ImageSize:
    """What a recogniser wants of its images.

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

    def sample(self, source: bytes | Path, label: str, key: str) -> Sample | Corrupt:
        """Decode and resize an image, or say why it cannot be decoded."""
        try:
            image = load_image(source, self.grayscale)
        except ValueError as error:
            return Corrupt(key, str(error))
        pixels, valid = resize_image(image, self.height, self.width, self.keep_ratio)
        return Sample(pixels, label, key, width=valid)


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


class LmdbImages(Dataset[Sample | Corrupt]):
    """Every record of an LMDB folder, whatever its label; nothing is filtered.

    Args:
        path: Folder with ``data.mdb``.
        size: What the images become.

    Attributes:
        others: 0; there is nothing else in an LMDB.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If it is no LMDB of images, or incomplete.
    """

    others = 0

    def __init__(self, path: str | Path, size: ImageSize) -> None:
        self.path, self.size = Path(path), size
        self.name, self.records = self.path.resolve().name, count_records(path)
        # opened on first use in each process, as LMDB demands
        self._environment: Any = None
        self._process = -1

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_environment": None, "_process": -1}

    def __len__(self) -> int:
        return self.records

    def key(self, index: int) -> str:
        """Return the folder's name and the number of a record, counted from 1."""
        return f"{self.name}/{index + 1}"

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        """Return a record with its label as it stands there, or why it cannot be read."""
        index = draw.index if isinstance(draw, Draw) else draw
        if self._process != os.getpid():
            self._environment, self._process = open_environment(self.path), os.getpid()
        with self._environment.begin() as transaction:
            encoded = transaction.get(b"image-%09d" % (index + 1))
            label = transaction.get(b"label-%09d" % (index + 1)) or b""
        if encoded is None:
            return Corrupt(self.key(index), "image missing")
        # the label is only copied to the output: a wrong byte in it does not stop the image
        return self.size.sample(encoded, label.decode(errors="replace"), self.key(index))


def open_images(path: str | Path, size: ImageSize) -> ImageFiles | LmdbImages:
    """Open a folder of images, an image file or an LMDB folder.

    Raises:
        FileNotFoundError: If there is nothing to read.
        ValueError: If it is an LMDB, but none of images, or incomplete.
    """
    lmdb = (Path(path) / "data.mdb").is_file()
    return (LmdbImages if lmdb else ImageFiles)(path, size)
