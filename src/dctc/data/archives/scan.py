"""Reading every record of a set once: what is wrong with it, and what its image looks like."""

from __future__ import annotations

import hashlib
import io
import unicodedata
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dctc.data.records.environment import open_environment
from dctc.data.records.extents import extents_fault
from dctc.data.records.image import UNDECODABLE

CHUNK = 2000  # records read by one process at a time
HASH_SIZE = 16  # a difference hash of 16 x 16 bits
MIN_SIDE = 8  # pixels; of slivers (4 x 48 occurs) there is too little to compare


class Fault(NamedTuple):
    """What is wrong with a record: its number from 1, and the fault in a few words."""

    record: int
    what: str


class Scan(NamedTuple):
    """What was read of k records, in their order.

    Attributes:
        digests: ``(k,)`` uint64, a hash of the encoded image; 0 if there is none.
        looks: ``(k, 32)`` uint8, see :func:`difference_hash`; zeros if there is no image, or one
            with less than :data:`MIN_SIDE` pixels to a side.
        faults: What is wrong.
    """

    digests: np.ndarray
    looks: np.ndarray
    faults: list[Fault]


def scan(
    path: Path,
    records: int,
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Scan:
    """Read a whole set.

    Args:
        path: LMDB folder.
        records: Records of it.
        workers: Processes to share the work.
        advance: Told the number of records after each piece of work.
    """
    chunks = [(path, i, min(i + CHUNK, records + 1)) for i in range(1, records + 1, CHUNK)]
    if workers == 1 or len(chunks) == 1:
        return _joined(map(scan_chunk, chunks), advance)
    with ProcessPoolExecutor(workers) as pool:
        return _joined(pool.map(scan_chunk, chunks), advance)


def _joined(parts: Iterable[Scan], advance: Callable[[int], None]) -> Scan:
    read = []
    for part in parts:
        read.append(part)
        advance(len(part.digests))
    digests, looks, faults = zip(*read, strict=True)
    return Scan(np.concatenate(digests), np.concatenate(looks), list(chain(*faults)))


def scan_chunk(chunk: tuple[Path, int, int]) -> Scan:
    """Read the records from one number up to, not including, another."""
    path, first, end = chunk
    digests = np.zeros(end - first, np.uint64)
    looks = np.zeros((end - first, HASH_SIZE * HASH_SIZE // 8), np.uint8)
    faults = []
    with open_environment(path).begin() as transaction:
        drawn = transaction.get(b"extents-%09d" % 1) is not None
        for record in range(first, end):
            raw = transaction.get(b"label-%09d" % record)
            faults += [Fault(record, what) for what in label_faults(raw)]
            encoded = transaction.get(b"image-%09d" % record)
            if encoded is None:
                faults.append(Fault(record, "image missing"))
                continue
            digest = hashlib.blake2b(encoded, digest_size=8).digest()
            digests[record - first] = int.from_bytes(digest, "big")
            try:
                with Image.open(io.BytesIO(encoded)) as image:
                    look, width = difference_hash(image), image.width  # decodes it
                    if min(image.size) >= MIN_SIDE:
                        looks[record - first] = look
            except UNDECODABLE as error:
                faults.append(Fault(record, f"image cannot be decoded ({type(error).__name__})"))
                continue
            extents = transaction.get(b"extents-%09d" % record)
            if extents is None:
                what = "extents missing" if drawn else ""
            else:
                characters = len((raw or b"").decode(errors="replace"))
                what = extents_fault(extents, characters, width)
            faults += [Fault(record, what)] if what else []
    return Scan(digests, looks, faults)


def label_faults(raw: bytes | None) -> list[str]:
    """Return what is wrong with a stored label."""
    if raw is None:
        return ["label missing"]
    try:
        label = raw.decode()
    except UnicodeDecodeError:
        return ["label is not UTF-8"]
    if not label.strip():
        return ["label is empty"]
    control = [c for c in label if unicodedata.category(c) == "Cc"]
    return [f"label has the control character U+{ord(control[0]):04X}"] if control else []


def difference_hash(image: Image.Image) -> np.ndarray:
    """Return the difference hash of an image: 256 bits as ``(32,)`` uint8.

    The image is reduced to 17 x 16 grey pixels, each the mean of what it covers; a bit says whether
    a pixel is brighter than its left neighbour. Brightness, contrast, size and compression hardly
    change it.
    """
    small = image.convert("L").resize((HASH_SIZE + 1, HASH_SIZE), Image.Resampling.BOX)
    pixels = np.asarray(small)
    return np.packbits(pixels[:, 1:] > pixels[:, :-1])
