"""``dctc bench``: time and memory of losses and models; accuracy of recognisers and boxes."""

from __future__ import annotations

import argparse
from pathlib import Path

from dctc.parsers import positive

WHAT = ("loss", "losses", "models", "peers", "boxes")
SCALES = ("tiny", "smoke", "small")


def main(args: list[str] | None = None) -> None:
    """Run one benchmark; it prints a table and writes ``<runs>/bench/<what>.json``.

    Args:
        args: Command line without ``dctc bench``; None takes that of the process.
    """
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
    threads = "CPU threads (default: 1, then 2); losses and models take the first"
    add("--threads", type=positive, nargs="+", default=[1, 2], help=threads)
    add("--configs", type=Path, help="models: folder of YAML files, one for each net")
    options = parser.parse_args(args)
    if options.what == "models" and not options.configs:
        parser.error("--what models: name the folder of the nets' YAML files with --configs")
    from dctc.training.machine import compute_in_float32

    compute_in_float32()
    if options.what == "loss":
        from dctc.bench.loss import bench_loss

        bench_loss(options.scale, options.threads)
    elif options.what == "losses":
        from dctc.bench.losses import bench_losses

        bench_losses(options.scale, options.threads[0])
    elif options.what == "peers":
        from dctc.bench.peers import bench_peers

        bench_peers(options.scale)
    elif options.what == "boxes":
        from dctc.bench.boxes import bench_boxes

        bench_boxes(options.scale)
    else:
        from dctc.bench.models import bench_models

        bench_models(options.scale, options.threads[0], options.configs)
