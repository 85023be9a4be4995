"""``dctc read PATH...``: print what images say."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from dctc.data.records.folders import refuse_single_file
from dctc.data.records.image_files import ImageFiles
from dctc.data.records.lmdb import LmdbImages
from dctc.reading.reader import Images, Read, Reader
from dctc.results.predictions import Outcome
from dctc.runs.net import load_model
from dctc.text.characters import printed
from dctc.training.machine import compute_in_float32, share_cores

DRAWN = 300  # ours: images of a sheet at most


def main(options: Namespace) -> None:
    """Read images and print what they say; ends with 1 if one of them cannot be read.

    Raises:
        ValueError: If the model cannot be loaded, or has no frames where boxes are asked for.
        OSError: If there is no such model or image.
    """
    if options.show:
        from dctc.data.archives.sheet import check_image_file

        check_image_file(options.show)
        _refuse_input(options.show, options.images)
    reader = Reader(load_model(options.model), rotate_tall=options.rotate_tall)
    share_cores(options.num_workers)
    compute_in_float32()
    parts = open_parts(options.images, reader)
    if options.show:
        for part in parts:
            _refuse_input(options.show, getattr(part, "files", {}).values())
    cells, unread, number = [], 0, 0
    how = (options.batch_size, options.num_workers, options.characters or options.boxes)
    for images, read in ((part, read) for part in parts for read in reader.read(part, *how)):
        print("\n".join(_said(reader, images, read, options)))
        if isinstance(read.found, Outcome):
            text = read.found.prediction
        else:
            text, unread = "", unread + 1
        if options.show and number < DRAWN:
            boxes = reader.boxes(images, read) if options.boxes else []
            cells.append((images.source(read.number), text, boxes))
        number += 1
    if options.show:
        _draw(options.show, cells, number)
    if others := sum(part.others for part in parts):
        print(f"skipped {others:,} files that are not images", file=sys.stderr)
    if unread:
        raise SystemExit(1)


def _refuse_input(show: Path, images: Iterable[Path]) -> None:
    if show.resolve() in {image.resolve() for image in images}:
        raise ValueError(f"--show {show}: it is one of the images to read; name another")


def open_parts(paths: list[Path], reader: Reader) -> list[Images]:
    """Open images and folders as one set, and each LMDB as one of its own, in their order."""
    parts: list[Images] = []
    for path in paths:
        if os.access(path, os.R_OK):  # what cannot be opened is told as an image is
            refuse_single_file(path)
    for is_lmdb, group in groupby(paths, lambda path: (path / "data.mdb").is_file()):
        if is_lmdb:
            parts += [LmdbImages(path, reader.size) for path in group]
        else:
            parts.append(ImageFiles([*group], reader.size))
    return parts


def _said(reader: Reader, images: Images, read: Read, options: Namespace) -> Iterator[str]:
    """Return the lines of an image."""
    found, key = read.found, read.found.key
    places = reader.boxes(images, read) if options.boxes else []
    boxes: list[Any] = [*places] or [None] * len(read.characters)
    if options.json:
        record: dict[str, Any] = {"image": key}
        if isinstance(found, Outcome):
            record |= {"text": found.prediction, "confidence": round(found.confidence, 4)}
            if options.characters or options.boxes:
                record["characters"] = [
                    {"character": c.character, "confidence": round(c.confidence, 4)}
                    | ({} if box is None else {"box": box})
                    for c, box in zip(read.characters, boxes, strict=True)
                ]
        else:
            record["error"] = found.reason
        line = json.dumps(record, ensure_ascii=False)
        # a file name may hold bytes that are not UTF-8; \udcXX is JSON's own way to write them
        yield line.encode("utf-8", "backslashreplace").decode()
        return
    if not isinstance(found, Outcome):
        yield f"-\t\t{printed(key)}"
        return
    yield f"{found.confidence:.4f}\t{printed(found.prediction)}\t{printed(key)}"
    for character, box in zip(read.characters, boxes, strict=True):
        place = "" if box is None else "\t" + " ".join(f"{side:g}" for side in box)
        yield f"  {character.confidence:.4f}\t{printed(character.character)}{place}"


def _draw(file: Path, cells: list[tuple[Any, str, Any]], number: int) -> None:
    from dctc.data.archives.sheet import Cell, draw_sheet, save_sheet

    save_sheet(*draw_sheet([Cell(*cell) for cell in cells]), file)
    which = f"the first {DRAWN} of {number:,} images" if number > DRAWN else f"{number:,} images"
    print(f"{file}: {which}", file=sys.stderr)
