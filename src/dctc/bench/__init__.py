"""``dctc bench``: time and memory of losses and models; accuracy of recognisers and boxes."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from dctc.parsers import positive

WHAT = ("loss", "losses", "models", "peers", "boxes")
SCALES = ("tiny", "smoke", "small")


def main(args: list[str]) -> None:
    """Run one benchmark; it prints a table and writes a JSON file, see :func:`.measure.report`."""
    parser = argparse.ArgumentParser(
        prog="dctc bench",
        description="Time and memory of losses and models, as ratios measured in one run; accuracy "
        "and speed of recognisers; accuracy of character boxes.",
    )
    add = parser.add_argument
    what = "loss: CTC and DCTC against torch's CTC; losses: every loss against CTC; models: nets "
    what += "with CTC and DCTC; peers: installed recognisers on scene words; boxes: character "
    what += "boxes of the packaged nets (default: loss)"
    add("--what", choices=WHAT, default="loss", help=what)
    add("--scale", choices=SCALES, default="smoke", help="how many repeats (default: smoke)")
    threads = "loss: CPU threads (default: 1, then 2); losses and models take the first"
    add("--threads", type=positive, nargs="+", default=[1, 2], help=threads)
    add("--configs", type=Path, help="models: folder of YAML files, one for each net")
    options = parser.parse_args(args)
    if options.what == "models" and not options.configs:
        parser.error("--what models: name the folder of the nets' YAML files with --configs")
    from dctc.training.machine import compute_in_float32, keep_freed_memory

    compute_in_float32()
    keep_freed_memory()
    more: dict[str, list[Any]] = {
        "loss": [options.threads],
        "losses": [options.threads[0]],
        "models": [options.threads[0], options.configs],
    }
    module = import_module(f"dctc.bench.{options.what}")  # here, as they import much
    getattr(module, f"bench_{options.what}")(options.scale, *more.get(options.what, []))
