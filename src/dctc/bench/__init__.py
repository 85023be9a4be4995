"""``dctc bench``: timings as ratios measured in one run."""

from __future__ import annotations

import argparse

SCALES = ("tiny", "smoke", "small", "paper")


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def main(args: list[str] | None = None) -> None:
    """Run one benchmark.

    Args:
        args: Command line without ``dctc bench``; None takes that of the process.
    """
    parser = argparse.ArgumentParser(prog="dctc bench", description=__doc__)
    parser.add_argument("--what", choices=["loss", "linear"], default="loss", help="what to time")
    parser.add_argument("--scale", choices=SCALES, default="smoke", help="how much to time")
    parser.add_argument(
        "--threads",
        type=_positive,
        nargs="+",
        default=[1, 2],
        help="CPU threads (default: 1, then 2)",
    )
    options = parser.parse_args(args)

    if options.what == "linear":
        from dctc.bench.linear import bench_linear

        bench_linear(options.scale)
        return
    from dctc.bench.loss import bench_loss

    bench_loss(options.scale, options.threads)
