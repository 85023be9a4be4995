"""The tables of README.md: what benchmarks measured, as it was published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from experiments.tables.publishing import GPU

from dctc.bench.loss import PEER
from dctc.results.environment import gpu
from dctc.results.tables import Table


def benchmark_tables(results: Path) -> dict[str, Table]:
    """Return a table of each published benchmark that README.md shows, as ``bench/<name>``.

    Args:
        results: Folder of the published results.
    """
    drawn = {"loss": _loss_table, "models": _models_table}
    files = {
        name + suffix: (draw, results / "bench" / f"{name}{suffix}.json")
        for name, draw in drawn.items()
        for suffix in ("", GPU)
    }
    return {
        f"bench/{name}": draw(json.loads(file.read_text(encoding="utf-8")))
        for name, (draw, file) in files.items()
        if file.exists()
    }


def _loss_table(measured: dict[str, Any]) -> Table:
    rows, on_cpu = [], not gpu(measured)
    for row in measured["rows"]:
        size, seconds, peak = row["size"], row["median_s"], row["peak_bytes"]
        rows.append(
            [
                f"{size['classes']:,}",
                f"{size['frames']} x {size['batch']}",
                *([str(row["threads"])] if on_cpu else []),
                *(f"{seconds[name] / seconds[PEER]:.2f}" for name in ("CTC", "DCTC", "two-pass")),
                f"{peak['DCTC'] / peak[PEER]:.2f}",
            ]
        )
    heads = ["classes", "frames x batch", *(["threads"] if on_cpu else [])]
    note = (
        "Forward and backward as multiples of torch.nn.CTCLoss with log_softmax: medians of "
        f"interleaved runs, and peak memory beyond the logits; labels of 8 characters. "
        f"{_about(measured)}"
    )
    title = f"Time and memory of the losses{'' if on_cpu else ' on a GPU'}"
    columns = [*heads, "CTC", "DCTC", "plain two-pass DCTC", "peak memory, DCTC"]
    return Table(title, columns, rows, [note])


def _models_table(measured: dict[str, Any]) -> Table:
    rows = []
    for row in measured["rows"]:
        d, inference, train = row["description"], row["inference_s"], row["train_s"]
        rows.append(
            [
                row["model"] + (" (37 classes)" if "chinese" in row["model"] else ""),
                f"{row['parameters']['CTC'] / 1e6:.2f}",
                f"{d['flops'] / 1e9:.2f}",
                str(d["frames"]),
                f"{1e3 * inference['CTC'] / d['batch_size']:.2f}",
                f"{inference['DCTC'] / inference['CTC']:.2f}",
                f"{train['DCTC'] / train['CTC']:.2f}",
                f"{inference['channels-last'] / inference['contiguous']:.2f}",
                f"{inference['bfloat16'] / inference['CTC']:.2f}",
            ]
        )
    heads = ["model", "M parameters", "GFLOPs", "frames", "ms/image", "DCTC/CTC, inference"]
    note = (
        "32x128 images, 37 classes, float32; ratios of medians measured in one run, below 1 is "
        "faster. Channels-last and bf16 (autocast, to float32): inference. "
        f"{_about(measured)}"
    )
    columns = [*heads, "DCTC/CTC, training step", "channels-last", "bf16"]
    return Table(f"Models{' on a GPU' if gpu(measured) else ''}", columns, rows, [note])


def _about(measured: dict[str, Any]) -> str:
    return f"{measured['hardware']}, torch {measured['versions']['torch']}."
