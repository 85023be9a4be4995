"""Labelled word images in an LMDB folder, in the scheme that the field publishes its sets in.

Keys: ``image-%09d`` (an encoded image), ``label-%09d`` (UTF-8), both counted from 1, and
``num-samples`` (clovaai/deep-text-recognition-benchmark, ``create_lmdb_dataset.py``). Blanks at the
beginning and end of a label are no part of it, and taken off on reading. Sets of drawn
words may have ``extents-%09d`` too (ours): left and right limit of each character of the label as
stored, ``(s, 2)`` float32 in the byte order of this machine, in pixels of the image as stored.
"""

from __future__ import annotations

import os
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
from torch.utils.data import Dataset

from dctc.data.records.batch import Corrupt, Sample, extents_fault, label_extents
from dctc.data.records.folders import (
    Stored,
    count_records,
    label_text,
    open_environment,
    read_record,
    reading,
    refuse_single_file,
)
from dctc.data.records.image_files import ImageFiles
from dctc.data.records.image_size import SIZE, ImageSize
from dctc.data.records.sampler import Draw
from dctc.text import Charset, get_protocol, normal_form
from dctc.text.alterations import Alterations
from dctc.text.characters import by_frequency, shown

EMPTY = "empty label after protocol"
OUTSIDE = "character outside the charset"
NOT_UTF8 = "label is not UTF-8"
MISSING = "label missing"

WARNED_PER_REASON = 10  # ours: records named one by one; the rest of a broken set is one number


class _Records(Dataset[Sample | Corrupt]):
    """Base of data sets of an LMDB folder, opened on first use in each process; may be pickled."""

    numbers: Any  # of each item the number of its record, counted from 1

    def __init__(self, path: str | Path) -> None:
        self.path, self.records, self.name = Path(path), count_records(path), ""
        self._environment: Any = None
        self._process = -1

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_environment": None, "_process": -1}

    def __len__(self) -> int:
        return len(self.numbers)

    def _get(self, number: int) -> Stored:
        if self._process != os.getpid():
            self._environment, self._process = open_environment(self.path), os.getpid()
        with self._environment.begin() as transaction:
            return read_record(transaction, number)

    def _sample(self, stored: Stored, key: str) -> Sample | Corrupt:
        raise NotImplementedError

    def __getitem__(self, draw: Draw | int) -> Sample | Corrupt:
        """Return one sample, or which record cannot be read and why.

        Args:
            draw: Position in the set, counted from 0, or a draw with that index.
        """
        number = int(self.numbers[draw.index if isinstance(draw, Draw) else draw])
        key = f"{self.name}/{number}"
        try:
            stored = self._get(number)
        except lmdb.Error as error:
            return Corrupt(key, f"data.mdb is damaged ({error})")
        return self._sample(stored, key)


class LmdbDataset(_Records):
    """The records of one LMDB folder whose labels a recogniser can emit.

    Labels are read when the set is indexed, and again on access: only record numbers are kept (4
    bytes a record), so a worker does not copy millions of strings.

    Args:
        path: Folder with ``data.mdb``.
        name: Name of the set, the first part of every key.
        protocol: Rule applied to every label: a name in :data:`dctc.text.PROTOCOLS` or a function
            ``str -> str`` (picklable, if workers are spawned).
        charset: Records with a character outside of it are dropped.
        size: What the images become.
        keep: Predicate on the label after the protocol. Records that it turns away do not belong
            to the set, so they are not counted as drops.
        only: Record numbers, counted from 1, of the part of the folder that is the set; None is all
            of it. Records outside of it are not counted as drops either.
        keep_empty: Keep records whose label is empty after the protocol, for a test set whose
            official scorer counts them.

    Attributes:
        records: ``num-samples``, the records of the folder.
        numbers: ``(len(self),)`` int32, the record number of each item, counted from 1.
        drops: How many records were dropped, by reason.
        outside: How many records were dropped for each character outside the charset.
        emptied: How many records with an empty label had each character before the protocol.
        alterations: What the protocol took out of the labels of the items.

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
        size: ImageSize = SIZE,
        keep: Callable[[str], bool] | None = None,
        only: Sequence[int] | None = None,
        keep_empty: bool = False,
    ) -> None:
        super().__init__(path)
        self.keep_empty = keep_empty
        self.name, self.charset, self.size, self.keep, self.only = name, charset, size, keep, only
        self.protocol = get_protocol(protocol) if isinstance(protocol, str) else protocol
        self.drops, self.outside, self.emptied = Counter[str](), Counter[str](), Counter[str]()
        self.alterations = Alterations(self.protocol, charset)
        self.numbers = self._index()
        if not len(self.numbers):
            taken = self.records if only is None else len(only)
            why = f"; {left_out(self)}; choose another protocol or charset" if self.drops else ""
            part = "" if only is None else " of a part, such as hold_out takes,"
            raise ValueError(f"LMDB {path}: none of {taken:,} records{part} is left{why}")

    def _index(self) -> np.ndarray:
        numbers, characters = array("i"), set(self.charset.characters)
        with reading(self.path) as transaction:
            for record in range(1, self.records + 1) if self.only is None else self.only:
                raw = transaction.get(b"label-%09d" % record)
                if raw is None:
                    self._report(record, MISSING)
                    continue
                try:
                    text = label_text(raw)
                except UnicodeDecodeError:
                    self._report(record, NOT_UTF8)
                    continue
                label = self.protocol(text)
                if self.keep is not None and not self.keep(label):
                    continue
                elif not (label or self.keep_empty):
                    self.drops[EMPTY] += 1
                    self.emptied.update(set(normal_form(text)))
                elif outside := set(label) - characters:
                    self.drops[OUTSIDE] += 1
                    self.outside.update(outside)
                else:
                    numbers.append(record)
                    self.alterations.add(text)
        return np.array(numbers, dtype=np.int32)

    def _report(self, record: int, reason: str) -> None:
        self.drops[reason] += 1
        if self.drops[reason] <= WARNED_PER_REASON:
            last = self.drops[reason] == WARNED_PER_REASON
            more = "; further records with this fault are only counted" if last else ""
            message = f"{self.name}/{record}: {reason}; left out and counted{more}"
            warnings.warn(message, UserWarning, stacklevel=4)

    def _sample(self, stored: Stored, key: str) -> Sample | Corrupt:
        encoded, raw, limits = stored
        text = label_text(raw or b"")  # indexed, so it is there and UTF-8
        if limits is None:
            return self.size.sample(encoded, self.protocol(text), key)
        whole = (raw or b"").decode()
        if fault := extents_fault(limits, len(whole)):
            return Corrupt(key, fault)
        pixels = np.frombuffer(limits, np.float32).reshape(-1, 2)  # (s, 2), of the image
        first = len(whole) - len(whole.lstrip())
        label, extents = label_extents(text, pixels[first : first + len(text)], self.protocol)
        return self.size.sample(encoded, label, key, extents)


def left_out(dataset: Any) -> str:
    """Say how many labels were dropped when a set was indexed, why, and for which characters.

    Args:
        dataset: Has ``drops``, ``outside`` and ``emptied`` as :class:`LmdbDataset` has.
    """
    drops = dataset.drops
    said = [f"{reason}: {count:,}" for reason, count in drops.items()]
    for what, which in (("outside", dataset.outside), ("of empty labels", dataset.emptied)):
        said += [f"{what}, most frequent first: {shown(by_frequency(which))}"] if which else []
    total = len(dataset) + drops.total()
    return f"{drops.total():,} of {total:,} labels left out ({'; '.join(said)})"


class LmdbImages(_Records):
    """Every record of an LMDB folder, whatever its label; nothing is filtered.

    Raises:
        FileNotFoundError: If the folder or its ``data.mdb`` does not exist.
        ValueError: If it is no LMDB of images, or incomplete.
    """

    others = 0  # as of ImageFiles; there is nothing else in an LMDB

    def __init__(self, path: str | Path, size: ImageSize) -> None:
        super().__init__(path)
        self.size, self.name = size, self.path.resolve().name
        self.numbers = range(1, self.records + 1)

    def key(self, index: int) -> str:
        """Return the folder's name and the number of a record, counted from 1."""
        return f"{self.name}/{self.numbers[index]}"

    def source(self, index: int) -> bytes:
        """Return an encoded image; empty if there is none."""
        return self._get(self.numbers[index]).image or b""

    def _sample(self, stored: Stored, key: str) -> Sample | Corrupt:
        # the label is only copied to the output: a wrong byte in it does not stop the image
        label = label_text(stored.label or b"", "replace")
        return self.size.sample(stored.image, label, key)


def open_images(path: str | Path, size: ImageSize) -> ImageFiles | LmdbImages:
    """Open a folder of images, an image file or an LMDB folder.

    Raises:
        FileNotFoundError: If there is nothing to read.
        ValueError: If it is an LMDB, but none of images, incomplete, or a single file.
    """
    refuse_single_file(Path(path))
    of_records = (Path(path) / "data.mdb").is_file()
    return (LmdbImages if of_records else ImageFiles)(path, size)
