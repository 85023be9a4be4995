"""Labelled word images in an LMDB folder, in the scheme that the field publishes its sets in.

Keys: ``image-%09d`` (an encoded image), ``label-%09d`` (UTF-8), both counted from 1, and
``num-samples`` (clovaai/deep-text-recognition-benchmark, ``create_lmdb_dataset.py``). Sets of drawn
words may have ``extents-%09d`` too (ours): the limits of each character of the label as stored,
``(s, 2)`` float32 in the byte order of this machine, in pixels of the image as stored.
"""

from __future__ import annotations

import os
import warnings
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample
from dctc.data.records.environment import count_records, open_environment
from dctc.data.records.extents import label_extents
from dctc.data.records.image import load_image
from dctc.data.records.resize import resize_image
from dctc.data.records.sampler import Draw
from dctc.text import Charset, get_protocol

EMPTY = "empty label after protocol"
OUTSIDE = "character outside the charset"
NOT_UTF8 = "label is not UTF-8"
MISSING = "label missing"

WARNED_PER_REASON = 10  # ours: records named one by one; the rest of a broken set is one number


class LmdbDataset(Dataset[Sample | Corrupt]):
    """The records of one LMDB folder whose labels a recogniser can emit.

    Labels are read when the set is indexed, and again on access: only record numbers are kept (4
    bytes a record), so a worker does not copy millions of strings. The environment is opened on
    first use in each process; the dataset may be forked and pickled.

    Images are resized to (height, width) without regard to their aspect ratio, as PARSeq (Bautista
    & Atienza, ECCV 2022) does, or with ``keep_ratio`` to the height and padded on the right; see
    :func:`dctc.data.records.resize.resize_image`.

    Args:
        path: Folder with ``data.mdb``.
        name: Name of the set, the first part of every key.
        protocol: Rule applied to every label: a name in :data:`dctc.text.PROTOCOLS` or a function
            ``str -> str`` (picklable, if workers are spawned).
        charset: Records with a character outside of it are dropped.
        height: Height of the images in pixels (h).
        width: Width of the images in pixels (w).
        grayscale: One channel instead of three.
        keep: Predicate on the protocolled label. Records that it turns away do not belong to the
            set, so they are not counted as drops.
        keep_ratio: Keep the aspect ratio of images; they are padded to the width, or squashed into
            it.
        only: Record numbers, counted from 1, of the part of the folder that is the set; None is all
            of it. Records outside of it are not counted as drops either.

    Attributes:
        records: ``num-samples``, the records of the folder.
        numbers: ``(len(self),)`` int32, the record number of each item, counted from 1.
        drops: How many records were dropped, by reason.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If it is no LMDB of labelled images, is incomplete, or no record is left.
    """

    def __init__(
        self,
        path: str | Path,
        name: str,
        protocol: str | Callable[[str], str],
        charset: Charset,
        height: int = 32,
        width: int = 128,
        grayscale: bool = False,
        keep: Callable[[str], bool] | None = None,
        keep_ratio: bool = False,
        only: range | None = None,
    ) -> None:
        self.path, self.name, self.charset, self.keep = Path(path), name, charset, keep
        self.protocol = get_protocol(protocol) if isinstance(protocol, str) else protocol
        self.height, self.width, self.grayscale = height, width, grayscale
        self.keep_ratio = keep_ratio
        self.only = only
        self._environment: Any = None
        self._process = -1
        self.records = count_records(path)
        self.drops: Counter[str] = Counter()
        self.numbers = self._index()
        self.close()  # so that nothing is inherited by workers that are forked before the first use
        if not len(self.numbers):
            raise ValueError(
                f"LMDB {path}: none of {self.records:,} records is left; dropped: "
                f"{dict(self.drops)}; choose another protocol or charset"
            )

    def _index(self) -> np.ndarray:
        numbers, characters = array("i"), set(self.charset.characters)
        with self._open().begin() as transaction:
            for record in range(1, self.records + 1) if self.only is None else self.only:
                reason = None
                raw = transaction.get(b"label-%09d" % record)
                try:
                    label = None if raw is None else self.protocol(raw.decode())
                except UnicodeDecodeError:
                    label, reason = None, NOT_UTF8
                if label is None:
                    self._report(record, reason or MISSING)
                elif self.keep is not None and not self.keep(label):
                    continue
                elif not label:
                    self.drops[EMPTY] += 1
                elif not characters.issuperset(label):
                    self.drops[OUTSIDE] += 1
                else:
                    numbers.append(record)
        return np.array(numbers, dtype=np.int32)

    def _report(self, record: int, reason: str) -> None:
        self.drops[reason] += 1
        if self.drops[reason] <= WARNED_PER_REASON:
            last = self.drops[reason] == WARNED_PER_REASON
            more = "; further records with this fault are only counted" if last else ""
            message = f"{self.name}/{record}: {reason}; left out and counted{more}"
            warnings.warn(message, UserWarning, stacklevel=4)

    def _open(self) -> Any:
        if self._process != os.getpid():
            self._environment = open_environment(self.path)
            self._process = os.getpid()
        return self._environment

    def close(self) -> None:
        """Let go of the environment; the next access opens it again."""
        self._environment, self._process = None, -1

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_environment": None, "_process": -1}

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        """Return one sample, or which record cannot be read and why.

        Args:
            draw: Position in the set, counted from 0, or a draw with that index.
        """
        record = int(self.numbers[draw.index if isinstance(draw, Draw) else draw])
        key = f"{self.name}/{record}"
        with self._open().begin() as transaction:
            encoded = transaction.get(b"image-%09d" % record)
            text = transaction.get(b"label-%09d" % record).decode()
            limits = transaction.get(b"extents-%09d" % record)
        if encoded is None:
            return Corrupt(key, "image missing")
        try:
            image = load_image(encoded, self.grayscale)
        except ValueError as error:
            return Corrupt(key, str(error))
        pixels, valid = resize_image(image, self.height, self.width, self.keep_ratio)
        if limits is None:
            return Sample(pixels, self.protocol(text), key, width=valid)
        stored = np.frombuffer(limits, np.float32).reshape(-1, 2)  # (s, 2), pixels of the image
        if len(stored) != len(text):
            return Corrupt(key, f"extents of {len(stored)} characters for a text of {len(text)}")
        label, extents = label_extents(
            text, stored * np.float32(valid / image.width), self.protocol
        )
        return Sample(pixels, label, key, extents, valid)
