"""Folders of images that need no labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import SUFFIXES
from dctc.files import walk


class ImageFiles(Dataset[Sample | Corrupt]):
    """Image files, and the images of folders and of the folders below them, each folder sorted.

    Links are followed; below a path, a folder that is reached twice is read once.

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
        files = (file for one in paths for file in sorted(self._files(one), key=Path.as_posix))
        self.files = {file.as_posix(): file for file in files}  # by key
        if isinstance(path, (str, Path)):
            top = paths[0] if paths[0].is_dir() else paths[0].parent
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
            found = Counter(file.suffix.lower() or file.name for file in files).most_common(3)
            holds = ", ".join(f"{count:,} {name}" for name, count in found) or "nothing"
            raise FileNotFoundError(
                f"images {path}: no image that can be read; it holds {holds}. Save images in one "
                f"of these formats: {', '.join(sorted(SUFFIXES))}"
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

    def __getitem__(self, index: int) -> Sample | Corrupt:
        """Return an image with the empty label, or why it cannot be read."""
        return self.size.sample(self.source(index), "", self.key(index))
