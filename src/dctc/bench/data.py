"""How fast training data comes: decoding, drawing, loaders, and what a training waits for it."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from dctc.data.benchmarks import BENCHMARKS, TRAIN_WORDS
from dctc.data.fonts import find_fonts
from dctc.data.lmdb import LmdbDataset
from dctc.data.loaders import train_loader
from dctc.data.prerender import render_set
from dctc.data.presets import PRESETS
from dctc.data.render import WordRenderer
from dctc.data.rendered_words import RenderedWords
from dctc.data.root import data_root, find_lmdbs
from dctc.data.sampler import Draw
from dctc.data.union import UnionDataset
from dctc.losses import DCTCLoss
from dctc.models import TimmRecognizer
from dctc.reporting.environment import environment
from dctc.reporting.registry import runs_folder
from dctc.reporting.tables import Table
from dctc.text import Charset, CTCTokenizer
from dctc.training.module import RecognizerModule

# by scale: images decoded and words drawn, draws of the memory test, batches of a training
SCALES = {"tiny": (50, 100, 2), "smoke": (4000, 20_000, 40), "small": (20_000, 200_000, 200)}
BATCH_SIZE = 64
WORKERS = (0, 1, 2)
FREE_DRAWS = 4  # the first quarter of the draws fills caches and is not measured
ENGLISH = (*BENCHMARKS.values(), *TRAIN_WORDS.values())


def bench_data(scale: str) -> Table:
    """Measure the data of the English sets below the data root; without any, that of drawn words.

    Args:
        scale: How much.
    """
    count, draws, batches = SCALES.get(scale, SCALES["small"])
    with tempfile.TemporaryDirectory() as folder:
        words = _words("easy", max(count, BATCH_SIZE * (batches + 2)))
        source, images = _images(Path(folder), words)
        measured: dict[str, Any] = {
            "source": source,
            "decoded_per_cpu_s": _per_cpu_second(images, count),
            "drawn_per_cpu_s": {
                name: _per_cpu_second(_words(name, count), count // 4) for name in PRESETS
            },
            "loader_per_s": {str(w): _loader_speed(images, w, count) for w in WORKERS},
            "waiting_share": {
                kind: {str(w): _waiting_share(data, w, batches) for w in WORKERS}
                for kind, data in (("LMDB", images), ("drawn", words))
            },
            "memory_growth_bytes": _memory_growth(images, draws),
            "memory_draws": draws - draws // FREE_DRAWS,
        }
    table = _table(measured)
    table.print(Console())
    file = runs_folder() / "bench" / "data.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**environment(), **measured}, indent=1) + "\n")
    print(f"written to {file}")
    return table


def _words(preset: str, count: int) -> RenderedWords:
    return RenderedWords("train", count, WordRenderer(find_fonts(), preset=preset))


def _images(folder: Path, words: RenderedWords) -> tuple[str, UnionDataset]:
    """Return the English sets below the data root; without any, the drawn words as an LMDB."""
    root = data_root()
    lmdbs = find_lmdbs(root) if root.is_dir() else {}
    found = [path for path in lmdbs.values() if any(b.matches(path) for b in ENGLISH)]
    source = f"{len(found)} English sets"
    if not found:
        render_set(words, folder / "drawn")
        found, source = [folder / "drawn"], "drawn words"
    charset = Charset.load("36")
    parts = [LmdbDataset(path, path.name, "english36", charset) for path in found]
    return source, UnionDataset(parts)


def _draws(size: int, count: int) -> Iterator[Draw]:
    """Yield draws all over a set, the same every time."""
    generator = torch.Generator().manual_seed(0)
    for i, index in enumerate(torch.randint(size, (count,), generator=generator).tolist()):
        yield Draw(index, i)


def _per_cpu_second(dataset: Any, count: int) -> float:
    """Return samples per second of CPU time in one process, which other work disturbs less."""
    for draw in _draws(len(dataset), max(count // 4, 1)):
        dataset[draw]
    began = time.process_time()
    for draw in _draws(len(dataset), count):
        dataset[draw]
    return count / (time.process_time() - began)


@contextmanager
def _batches(dataset: Any, workers: int) -> Iterator[Iterator[Any]]:
    """Give the training batches of a loader whose workers have begun; they end with it."""
    batches = iter(train_loader(dataset, BATCH_SIZE, 0, workers))
    next(batches)
    yield batches


def _loader_speed(dataset: Any, workers: int, count: int) -> float:
    """Return images per second of a loader that nobody keeps waiting."""
    read = 0
    with _batches(dataset, workers) as batches:
        began = time.perf_counter()
        for batch in batches:
            read += len(batch.label)
            if read >= count:
                break
        return read / (time.perf_counter() - began)


def _waiting_share(dataset: Any, workers: int, count: int) -> float:
    """Return the share of the time of training small_resnet that goes by waiting for a batch."""
    torch.manual_seed(0)
    tokenizer = CTCTokenizer("36")
    module = RecognizerModule(TimmRecognizer(tokenizer.num_classes), DCTCLoss(), tokenizer)
    module.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(module.parameters())
    waited = 0.0
    with _batches(dataset, workers) as batches:
        began = time.perf_counter()
        for _ in range(count):
            asked = time.perf_counter()
            batch = next(batches)
            waited += time.perf_counter() - asked
            batch = batch._replace(image=batch.image.to(module.device))
            outputs = module.objective.outputs(module, batch)
            module.objective.loss(module, batch, outputs).value.backward()
            optimizer.step()
            optimizer.zero_grad()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        return waited / (time.perf_counter() - began)


def _memory_growth(dataset: Any, draws: int) -> int | None:
    """Return by how many bytes a process grows while it reads; None where that is not known."""
    with ProcessPoolExecutor(1) as pool:
        return pool.submit(_growth, dataset, draws).result()


def _growth(dataset: Any, draws: int) -> int | None:
    before = None
    for i, draw in enumerate(_draws(len(dataset), draws)):
        if i == draws // FREE_DRAWS:
            before = _anonymous_bytes()
        dataset[draw]
    after = _anonymous_bytes()
    return None if before is None or after is None else after - before


def _anonymous_bytes() -> int | None:
    """Return this process's own memory, without mapped files: an LMDB fills the page cache."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((1024 * int(s.split()[1]) for s in lines if s.startswith("RssAnon:")), None)


def _table(m: dict[str, Any]) -> Table:
    rows = [["decoded and resized, images per CPU second", f"{m['decoded_per_cpu_s']:,.0f}"]]
    for name, speed in m["drawn_per_cpu_s"].items():
        rows.append([f"drawn, {name}, words per CPU second", f"{speed:,.0f}"])
    for workers, speed in m["loader_per_s"].items():
        rows.append([f"loader, {workers} workers, images per second", f"{speed:,.0f}"])
    for kind, shares in m["waiting_share"].items():
        for workers, share in shares.items():
            what = f"small_resnet waits for data, {kind}, {workers} workers, %"
            rows.append([what, f"{100 * share:.1f}"])
    growth = m["memory_growth_bytes"]
    grown = "unknown" if growth is None else f"{growth / 2**20:.1f}"
    rows.append([f"memory growth over {m['memory_draws']:,} images, MiB", grown])
    note = (
        f"Images: {m['source']}, 32x128, random order; batches of {BATCH_SIZE}; training with "
        f"DCTC, {torch.get_num_threads()} threads. {environment()['hardware']}"
    )
    return Table("Data", ["what", "measured"], rows, [note])
