"""``dctc predict RUN --images PATH``: recognise any images with a trained run."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from dctc.data.records.batch import Batch, collate_by_width
from dctc.data.records.images import ImageFiles
from dctc.data.records.lmdb import LmdbImages, open_images
from dctc.data.sets import eval_loader
from dctc.parsers import predict_parser
from dctc.training.checkpoints import FINAL
from dctc.training.machine import compute_in_float32, share_cores
from dctc.training.module import RecognizerModule
from dctc.training.nets import load_net
from dctc.training.results_writer import HEAD, prediction_rows, writing


class Count(NamedTuple):
    """Counts and duration of :func:`read_images`.

    Attributes:
        images: Images in all.
        unread: Images that could not be decoded.
        seconds: From the first request for an image to the last row.
    """

    images: int
    unread: int
    seconds: float


def read_images(
    module: RecognizerModule,
    images: ImageFiles | LmdbImages,
    file: Path,
    batch_size: int = 128,
    num_workers: int = 1,
) -> Count:
    """Recognise images and write one row for each, in their order.

    Workers decode and resize while the net computes. The file appears when it is complete.

    Args:
        module: The recogniser, on the device where it is to compute; put into evaluation mode.
        images: The images.
        file: Tab-separated key, prediction, confidence and label; the label passes the protocol of
            the predictions. An image that cannot be decoded has an empty prediction and, as its
            confidence, ``not read`` with the reason.
        batch_size: Images in a batch.
        num_workers: Worker processes; 0 decodes in this one.
    """
    began = time.perf_counter()
    done = unread = 0
    module.eval()
    with writing(file, HEAD) as writer, torch.inference_mode():
        loader = eval_loader(images, batch_size, num_workers, collate=collate_by_width)
        for number, batches in enumerate(loader):
            rows = {row[0]: row for batch in batches for row in _rows(module, batch, number)}
            # in the order of the images; a key without a row raises an error
            writer.writerows(rows[images.key(done + i)] for i in range(len(rows)))
            done += len(rows)
            unread += sum(len(batch.corrupt) for batch in batches)
    return Count(done, unread, time.perf_counter() - began)


def _rows(module: RecognizerModule, batch: Batch, number: int) -> Iterator[list[str]]:
    if batch.label:
        batch = batch._replace(
            image=batch.image.to(module.device, non_blocking=True),
            label=[module.protocol(label) for label in batch.label],
        )
    return prediction_rows(module.predict_step(batch, number), batch.corrupt)


def main(args: list[str] | None = None) -> None:
    """Recognise images with a trained run.

    Args:
        args: Command line without ``dctc predict``; None takes that of the process.

    Raises:
        ValueError: If configuration and checkpoint do not fit, or the LMDB holds no images.
        OSError: If there is no such run, checkpoint or image.
    """
    options = predict_parser().parse_args(args)

    folder: Path = options.run if options.run.is_dir() else options.run.parent
    config = folder / "config.yaml" if options.run.is_dir() else options.run
    loaded = load_net(config, options.ckpt_path or folder / "checkpoints" / FINAL)
    module = RecognizerModule(loaded.net, nn.Identity(), loaded.tokenizer, protocol=loaded.protocol)  # type: ignore[arg-type]
    module.to("cuda" if torch.cuda.is_available() else "cpu")
    share_cores(options.num_workers)
    compute_in_float32()
    images = open_images(options.images, loaded.reading_size(options.rotate_tall))
    out = options.out or folder / "images.tsv"
    count = read_images(module, images, out, options.batch_size, options.num_workers)
    print(f"{count.images:,} images in {count.seconds:.1f} s, written to {out}")
    if count.unread:
        print(f"{count.unread:,} of them could not be read; {out} says why", file=sys.stderr)
    if images.others:
        print(f"{options.images}: skipped {images.others:,} files that are not images")
