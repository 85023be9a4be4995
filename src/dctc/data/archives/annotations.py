"""Labelled words of archives in MATLAB or XML files: IIIT5K, SVT, SynthText; crops of images.

Each ``words_of_...`` takes the annotation file and the folder that image names are relative to. It
raises ValueError where the file is not of its form, and FileNotFoundError where there is none.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dctc.data.archives.text_lists import Word, image_file, word_file
from dctc.data.records.images import as_png, load_image

SYNTHTEXT_IMAGES = 858_750  # readme.txt of SynthText (www.robots.ox.ac.uk/~vgg/data/scenetext)


@lru_cache(maxsize=1)  # the words of an image follow each other
def _picture(images: Path, name: str) -> Image.Image:
    return load_image(image_file(images, name).read_bytes())


def _crop(images: Path, name: str, box: tuple[float, ...]) -> bytes:
    """Return a box of an image as PNG: left, top, right, bottom, clipped to whole pixels."""
    image = _picture(images, name)
    if not all(map(math.isfinite, box)):
        raise ValueError("its box is not finite")
    left, top = (max(0, math.floor(edge)) for edge in box[:2])
    right, bottom = min(image.width, math.ceil(box[2])), min(image.height, math.ceil(box[3]))
    if right <= left or bottom <= top:
        raise ValueError("its box lies outside of the image or is empty")
    return as_png(image.crop((left, top, right, bottom)))


def words_of_iiit5k(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of IIIT 5K-word (Mishra, Alahari and Jawahar, BMVC 2012).

    ``testdata.mat`` and ``traindata.mat`` hold a struct array of ImgName, GroundTruth and lexicons,
    which is named as the file.
    """
    entries = _load_mat(source, [source.stem])[source.stem]
    fields = entries.dtype.names or ()
    for field in ("ImgName", "GroundTruth"):
        if field not in fields:
            raise ValueError(f"{source}: {source.stem} has no field {field}, only {list(fields)}")
    for entry in entries.ravel():
        name, label = (_text(source, entry[field]) for field in ("ImgName", "GroundTruth"))
        yield word_file(images, name, label)


def words_of_svt(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of the Street View Text Dataset (Wang et al., ICCV 2011), cropped.

    ``test.xml`` and ``train.xml`` have ``image`` elements with ``imageName`` and
    ``taggedRectangles`` of ``taggedRectangle x= y= width= height=`` with a ``tag``.
    """
    try:
        root = ElementTree.parse(source).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{source}: is not XML ({error})") from error
    for image in root.iter("image"):
        name = image.findtext("imageName", "").strip()
        for i, rectangle in enumerate(image.iter("taggedRectangle"), start=1):
            tag, values = rectangle.findtext("tag"), rectangle.attrib
            try:
                x, y, width, height = (float(values[k]) for k in ("x", "y", "width", "height"))
            except (KeyError, ValueError) as error:
                raise ValueError(
                    f"{source}: rectangle {i} of {name}: x, y, width or height is missing or not a "
                    f"number ({dict(values)})"
                ) from error
            if not name or tag is None:
                raise ValueError(f"{source}: rectangle {i} of {name or 'an image'} has no name/tag")
            crop = partial(_crop, images, name, (x, y, x + width, y + height))
            yield Word(f"{name} rectangle {i}", tag, crop)


def words_of_synthtext(source: Path, images: Path) -> Iterator[Word]:
    """Yield the words of SynthText (Gupta, Vedaldi and Zisserman, CVPR 2016), cropped.

    Each is cropped to the upright rectangle around its four corners. Crops are not straightened,
    as in the released LMDBs of clovaai and PARSeq. ``gt.mat`` holds ``imnames``, ``wordBB`` (2, 4,
    words) and ``txt``, whose strings are several words apart by spaces and line ends.
    """
    arrays = _load_mat(source, ["imnames", "wordBB", "txt"])
    columns = [arrays[key].ravel() for key in ("imnames", "wordBB", "txt")]
    sizes = [len(column) for column in columns]
    if len(set(sizes)) > 1:
        raise ValueError(f"{source}: {sizes} images, boxes and texts, which must be as many")
    for name_cell, corners, texts in zip(*columns, strict=True):
        name = _text(source, name_cell)
        if not _is_array(corners, "fiu") or corners.shape[:2] != (2, 4):
            raise ValueError(f"{source}: {name} has no boxes of four corners; fetch it again")
        if not _is_array(texts, "U"):
            raise ValueError(f"{source}: {name} has no texts; fetch it again")
        labels = " ".join(map(str, texts.ravel())).split()
        corners = corners.reshape(2, 4, -1)  # of a single word MATLAB drops the last axis
        if corners.shape[2] != len(labels):
            raise ValueError(
                f"{source}: {name} has {corners.shape[2]} boxes and {len(labels)} words"
            )
        low, high = np.floor(corners.min(1)), np.ceil(corners.max(1))  # (2, words)
        for i, label in enumerate(labels):
            box = (*low[:, i].tolist(), *high[:, i].tolist())
            yield Word(f"{name} word {i + 1}", label, partial(_crop, images, name, box))


def synthtext_lacks(source: Path) -> str:
    """Return the mismatch of a ``gt.mat`` with the archive: a different number of images."""
    found, whole = _load_mat(source, ["imnames"])["imnames"].size, SYNTHTEXT_IMAGES
    return "" if found == whole else f"{source}: {found:,} images where SynthText has {whole:,}"


def _load_mat(file: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Return some arrays of a MATLAB file (up to version 7.2, as both archives are)."""
    from scipy.io import loadmat  # slow to load

    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file")
    try:
        found = loadmat(file, variable_names=names)
    except Exception as error:  # scipy raises whatever zlib, numpy or its tables make of the bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{file}: cannot be read as a MATLAB file ({reason}); fetch or unpack it again"
        ) from error
    for name in names:
        if not isinstance(found.get(name), np.ndarray):
            raise ValueError(f"{file}: holds no array {name!r}; give the archive's own file")
    return {name: found[name] for name in names}


def _text(file: Path, cell: Any) -> str:
    """Return the string of a cell; ValueError if it is something else."""
    if not _is_array(cell, "U") or cell.size != 1:
        seen = " ".join(repr(cell).split())[:60]
        raise ValueError(f"{file}: holds {seen} in place of a string; fetch or unpack it again")
    return str(cell.item())


def _is_array(cell: Any, kinds: str) -> bool:
    return isinstance(cell, np.ndarray) and cell.dtype.kind in kinds
