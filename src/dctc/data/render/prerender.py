"""Rendered words written to an LMDB: drawn by several processes, resumable."""

from __future__ import annotations

import copy
import io
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import DataLoader, Dataset, get_worker_info

from dctc.data.records.record import Progress, Record
from dctc.data.records.sampler import Draw
from dctc.data.records.writer import write_set
from dctc.data.render.recipe import recipe
from dctc.data.render.rendered_words import RenderedWords
from dctc.text.protocol import verbatim

CHUNK = 25  # words that a process draws before it hands them over


def render_set(
    dataset: RenderedWords,
    folder: Path,
    workers: int = 1,
    advance: Callable[[int], None] = lambda taken: None,
) -> Progress:
    """Write all words of a rendered set, or go on where an earlier call was cut off.

    Record i + 1 is the word that ``dataset`` draws under number i: the same pixels, stored as PNG,
    the text as it was drawn, and the limits of its characters. Any number of workers writes the
    same records.

    Args:
        dataset: The words.
        folder: Folder of the LMDB.
        workers: Processes that draw.
        advance: Told how many words have been written, now and then.

    Raises:
        ValueError: If the folder holds a set of another recipe.
        OSError: If the disk is full, or a process that draws was killed.
    """
    chunks = _Chunks(dataset)

    def records(taken: int) -> Iterator[Record]:
        loader: DataLoader[Any] = DataLoader(
            chunks,
            batch_size=None,
            sampler=range(taken, len(dataset), CHUNK),
            num_workers=workers if workers > 1 else 0,
            worker_init_fn=_end_with_parent,
        )
        for chunk in loader:
            if isinstance(chunk, Exception):
                raise chunk
            yield from chunk

    try:
        return write_set(folder, recipe(dataset), records, advance=advance)
    except RuntimeError as error:  # torch's, wherever the news of the worker's end arrives
        if not str(error).startswith("DataLoader worker (pid"):
            raise
        raise OSError(
            f"{folder}: a process that draws was killed, perhaps for want of memory; run the same "
            f"command again, with fewer --workers: it goes on from the last committed word"
        ) from error


def _end_with_parent(worker: int) -> None:
    """End a worker where the process that it draws for was killed: torch's may wait for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Chunks(Dataset[list[Record] | Exception]):
    """The words from a number on, encoded; in a worker, what bad input raises instead of them."""

    def __init__(self, words: RenderedWords) -> None:
        self.words = copy.copy(words)
        self.words.protocol = verbatim  # labels are stored raw; what is drawn stays the same

    def __getitem__(self, first: int) -> list[Record] | Exception:
        try:
            return [self._draw(i) for i in range(first, min(first + CHUNK, len(self.words)))]
        except (ValueError, OSError) as error:
            if get_worker_info() is None:
                raise
            error.add_note(traceback.format_exc())  # torch would put it into the message
            return error

    def _draw(self, number: int) -> Record:
        sample = self.words[Draw(number, number)]
        buffer = io.BytesIO()
        Image.fromarray(sample.image.squeeze()).save(buffer, "PNG")
        return Record(buffer.getvalue(), sample.label, sample.extents)
