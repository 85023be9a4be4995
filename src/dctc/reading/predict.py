"""``dctc predict MODEL --images PATH``: write what a trained net reads into a table."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from pathlib import Path

from dctc.data.records.lmdb import open_images
from dctc.reading.reader import Images, Reader
from dctc.results.predictions import HEAD, Outcome, prediction_row, writing
from dctc.runs.net import load_model
from dctc.text.characters import printed
from dctc.training.machine import compute_in_float32, share_cores


def read_images(
    reader: Reader, images: Images, file: Path, batch_size: int = 128, num_workers: int = 1
) -> tuple[int, int]:
    """Recognise images and write one row for each, in their order.

    Workers decode and resize while the net computes. The file appears when it is complete.

    Args:
        reader: The net.
        images: The images.
        file: Tab-separated key, prediction, confidence and label; the label passes the protocol of
            the predictions. An image that cannot be decoded has an empty prediction and, as its
            confidence, ``not read`` with the reason.
        batch_size: Images in a batch.
        num_workers: Worker processes; 0 decodes in this one.

    Returns:
        How many images there were, and how many of them could not be decoded.
    """
    done = unread = 0
    with writing(file, HEAD) as write:
        for read in reader.read(images, batch_size, num_workers):
            write(prediction_row(read.found))
            done += 1
            unread += not isinstance(read.found, Outcome)
    return done, unread


def main(options: Namespace) -> None:
    """Recognise images with a trained net.

    Raises:
        ValueError: If configuration and checkpoint do not fit, or the LMDB holds no images.
        OSError: If there is no such run, checkpoint or image.
    """
    loaded = load_model(options.run, options.ckpt_path)
    folder: Path = options.run if options.run.is_dir() else options.run.parent
    reader = Reader(loaded, rotate_tall=options.rotate_tall)
    share_cores(options.num_workers)
    compute_in_float32()
    images = open_images(options.images, reader.size)
    out = options.out or folder / "images.tsv"
    began = time.perf_counter()
    done, unread = read_images(reader, images, out, options.batch_size, options.num_workers)
    print(f"{done:,} images in {time.perf_counter() - began:.1f} s, written to {printed(out)}")
    if unread:
        print(f"{unread:,} of them could not be read; {printed(out)} says why", file=sys.stderr)
    if images.others:
        print(f"{printed(options.images)}: skipped {images.others:,} files that are not images")
