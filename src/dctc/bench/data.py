"""Speed of training data: decoding, rendering, and the time that a training waits for it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from dctc.bench.measure import default_device, report
from dctc.data.augment import Augmentation, AugmentedDataset
from dctc.data.catalogue import BENCHMARKS, TRAIN_WORDS
from dctc.data.lmdb_sets import UnionDataset
from dctc.data.records.folders import data_root, find_lmdbs
from dctc.data.records.lmdb import LmdbDataset
from dctc.data.records.sampler import Draw
from dctc.data.render.fonts import find_fonts
from dctc.data.render.presets import PRESETS
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import render_set
from dctc.data.sets import train_loader
from dctc.losses import DCTCLoss
from dctc.models import TimmRecognizer
from dctc.results.tables import Table
from dctc.text import Charset, CTCTokenizer
from dctc.training.module import RecognizerModule

# by scale: images decoded and words drawn, batches of a training
SCALES = {"tiny": (50, 2), "smoke": (4000, 40), "small": (20_000, 200)}
BATCH_SIZE = 64
WORKERS = (0, 1, 2)
ENGLISH = (*BENCHMARKS.values(), *TRAIN_WORDS.values())


def bench_data(scale: str, lmdb: Path | None = None) -> None:
    """Measure the data of the English sets below the data root; without any, that of drawn words.

    Args:
        scale: How much.
        lmdb: Measure the LMDBs in or below this folder instead.

    Raises:
        FileNotFoundError: If there is no LMDB in or below the folder.
        ValueError: If there are too few images in them.
    """
    count, batches = SCALES[scale]
    least = BATCH_SIZE * (batches + 2)
    with tempfile.TemporaryDirectory() as folder:
        words = _words("easy", max(count, least))
        source, images = _images(Path(folder), words, lmdb)
        if len(images) < least:
            raise ValueError(
                f"{source}: {len(images):,} images, and {least:,} are needed; name larger LMDBs "
                f"with --images, or take --scale tiny"
            )
        augmented = AugmentedDataset(images, Augmentation(1.0), seed=0)
        trained_on = {"LMDB": images, "LMDB augmented": augmented, "drawn": words}
        measured = {
            "source": source,
            "decoded_per_cpu_s": _per_cpu_second(images, count),
            "augmented_per_cpu_s": _per_cpu_second(augmented, count),
            "drawn_per_cpu_s": {
                name: _per_cpu_second(_words(name, count), count // 4) for name in PRESETS
            },
            "waiting_share": {
                kind: {str(w): _waiting_share(data, w, batches) for w in WORKERS}
                for kind, data in trained_on.items()
            },
        }
    report("data", measured, _table)


def _words(preset: str, count: int) -> RenderedWords:
    return RenderedWords("train", count, WordRenderer(find_fonts(), preset=preset))


def _images(folder: Path, words: RenderedWords, lmdb: Path | None) -> tuple[str, UnionDataset]:
    """Return the LMDBs asked for, or the English sets of the data root, or else drawn words."""
    root = lmdb or data_root()
    lmdbs = find_lmdbs(root) if root.is_dir() else {}
    found = [p for p in lmdbs.values() if lmdb or any(b.matches(p) for b in ENGLISH)]
    source = str(lmdb) if lmdb else f"{len(found)} English sets"
    if lmdb and not found:
        raise FileNotFoundError(f"{lmdb}: no LMDB (data.mdb) in it or below it")
    if not found:
        render_set(words, folder / "drawn")
        found, source = [folder / "drawn"], "drawn words"
    charset = Charset.load("36")
    parts = [LmdbDataset(path, path.name, "english36", charset) for path in found]
    return source, UnionDataset(parts)


def _per_cpu_second(dataset: Any, count: int) -> float:
    """Return samples per second of CPU time in one process, which other work disturbs less."""
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(len(dataset), (count,), generator=generator).tolist()
    for i, index in enumerate(draws[: max(count // 4, 1)]):  # a warm-up
        dataset[Draw(index, i)]
    began = time.process_time()
    for i, index in enumerate(draws):
        dataset[Draw(index, i)]
    return count / (time.process_time() - began)


def _waiting_share(dataset: Any, workers: int, count: int) -> float:
    """Return the share of the time of training small_resnet that goes by waiting for a batch."""
    torch.manual_seed(0)
    tokenizer, device = CTCTokenizer("36"), default_device()
    module = RecognizerModule(TimmRecognizer(tokenizer.num_classes), DCTCLoss(), tokenizer)
    optimizer = torch.optim.AdamW(module.to(device).parameters())
    waited, batches = 0.0, iter(train_loader(dataset, BATCH_SIZE, 0, workers))
    next(batches)  # the workers have begun
    began = time.perf_counter()
    for _ in range(count):
        asked = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - asked
        batch = batch._replace(image=batch.image.to(device))
        outputs = module.objective.outputs(module, batch)
        module.objective.loss(module, batch, outputs).value.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
    return waited / (time.perf_counter() - began)


def _table(m: dict[str, Any]) -> Table:
    rows = [
        ["decoded and resized, images per CPU second", f"{m['decoded_per_cpu_s']:,.0f}"],
        ["the same and augmented", f"{m['augmented_per_cpu_s']:,.0f}"],
    ]
    for name, speed in m["drawn_per_cpu_s"].items():
        rows.append([f"drawn, {name}, words per CPU second", f"{speed:,.0f}"])
    for kind, shares in m["waiting_share"].items():
        for workers, share in shares.items():
            what = f"small_resnet waits for data, {kind}, {workers} workers, %"
            rows.append([what, f"{100 * share:.1f}"])
    note = (
        f"Images: {m['source']}, 32x128, random order; batches of {BATCH_SIZE}; training with "
        f"DCTC, {torch.get_num_threads()} threads. {m['hardware']}"
    )
    return Table("Data", ["what", "measured"], rows, [note])
