"""Write rendered words to an LMDB with the recipe that they were made by, and read them back."""

from __future__ import annotations

import copy
import json
import os
import platform
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from PIL import Image, features
from torch.utils.data import DataLoader, Dataset, get_worker_info

import dctc
from dctc.data.records.image_size import ImageSize
from dctc.data.records.images import as_png
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.provenance import RECIPE, Progress, read_recipe, shortened, warn_of_versions
from dctc.data.records.sampler import Draw
from dctc.data.records.writer import Record, write_set
from dctc.data.render.chinese_lines import ChineseLines
from dctc.data.render.rendered_words import RenderedWords
from dctc.files import short_hash
from dctc.text import Charset
from dctc.text.protocol import verbatim

RENDERER_VERSION = 3  # raised by hand when the same seed would give other images
CHINESE_VERSION = 2  # the same for Chinese lines, beside it; 2 draws symbols and punctuation
OWN_VERSION = 2  # the same for words or characters of a file; 2 draws scripts without case
CHUNK = 25  # words that a process draws before it hands them over


def recipe(dataset: RenderedWords) -> dict[str, Any]:
    """Return everything that determines a set of rendered words, ready for JSON.

    Returns:
        Versions, the split, its size and seed, charset and protocol, the preset's values, the
        fonts, and a hash of the words; for Chinese lines also a hash of the characters' frequencies
        and the characters that no font draws. Hashes are the first 16 digits of SHA-256.
    """
    renderer, counts = dataset.renderer, dataset.words.counts
    made: dict[str, Any] = {
        "renderer": RENDERER_VERSION,
        "versions": {
            "dctc": dctc.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "freetype": features.version("freetype2"),
            "jpeg": features.version("jpg"),
        },
        "split": dataset.split,
        "size": dataset.size,
        "seed": dataset.seed,
        "height": renderer.height,
        "width": renderer.width,
        **dataset.options,
        "charset": {"characters": len(dataset.charset), "sha256": short_hash(dataset.charset)},
        "corpus": {"words": len(counts), "sha256": short_hash(_listed(counts))},
        "preset": asdict(renderer.preset),
        "fonts": [
            {
                "file": Path(font.path).name,
                "family": font.family,
                "sha256": short_hash(Path(font.path).read_bytes()),
            }
            for font in renderer.fonts
        ],
    }
    if dataset.own:
        made["own"] = OWN_VERSION
    if isinstance(dataset.words, ChineseLines):
        known = dataset.words.frequencies
        made["frequencies"] = {"characters": len(known), "sha256": short_hash(_listed(known))}
        made["left_out"] = dataset.left_out
        made["chinese"] = CHINESE_VERSION
        made["versions"].update(wordfreq=_version("wordfreq"), fonttools=_version("fonttools"))
    return made


def drawn_key(dataset: RenderedWords) -> str:
    """Return a hash of what determines a set's images, whatever the versions of libraries.

    The samples' keys are numbers, the same for other fonts, words or presets.
    """
    left_out = ("versions", "size", "words")  # words: their file's name; "corpus" hashes them
    found = {k: v for k, v in recipe(dataset).items() if k not in left_out}
    return short_hash(json.dumps(found, sort_keys=True))


def _listed(counts: dict[str, float]) -> str:
    return "".join(f"{name}\t{count!r}\n" for name, count in counts.items())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # wordfreq is an extra
        return None


def render_set(
    dataset: RenderedWords,
    folder: Path,
    workers: int = 1,
    advance: Callable[[int], None] = lambda taken: None,
) -> Progress:
    """Write all words of a rendered set, or go on where an earlier call was interrupted.

    Record i + 1 is the word that ``dataset`` draws under number i: the same pixels, stored as PNG,
    the text as it was drawn, and the limits of its characters. Any number of workers writes the
    same records. ``advance`` is told now and then how many are written.

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
    """End a worker whose parent process was killed; torch's own workers may wait for ever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Chunks(Dataset[list[Record] | Exception]):
    """Encoded records from a number on; in a worker, an exception of bad input in their place."""

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
        image = as_png(Image.fromarray(sample.image.squeeze()))
        return Record(image, sample.label, sample.extents)


def stored_recipe(folder: str | Path) -> dict[str, Any]:
    """Return the recipe of a complete set of rendered words."""
    found = read_recipe(Path(folder))
    if not found:
        raise FileNotFoundError(
            f"{folder}: no rendered words here ({RECIPE} is missing); 'dctc data render' or "
            f"dctc.data.render.stored.render_set writes them"
        )
    if "seed" not in found:
        raise ValueError(f"{folder}: {RECIPE} is not that of rendered words; name it in train")
    return found


def open_stored(folder: str | Path, drawn: RenderedWords) -> LmdbDataset:
    """Open words that :func:`render_set` wrote in place of the same words drawn on demand.

    Raises:
        FileNotFoundError: If there are no words.
        ValueError: If they were drawn with other options, fonts or words. Other versions of
            libraries give a warning.
    """
    found = stored_recipe(folder)
    wanted = dict(json.loads(json.dumps(recipe(drawn))))
    warn_of_versions(folder, found.pop("versions", None), wanted.pop("versions"))
    for name, value in wanted.items():
        # the corpus says what the words are, whatever the path of their file
        if name not in ("size", "words") and found.get(name) != value:
            raise ValueError(
                f"{folder}: these words were drawn with {name} {shortened(found.get(name))}, not "
                f"{shortened(value)}; give the same options, or draw them anew"
            )
    return LmdbDataset(
        folder,
        "stored",
        protocol=drawn.protocol,
        charset=Charset(drawn.charset),
        size=ImageSize(drawn.renderer.height, drawn.renderer.width, drawn.grayscale),
    )
