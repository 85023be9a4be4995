"""``dctc bench``: timings as ratios measured in one run, and whether models learn at all."""

from __future__ import annotations

import argparse
from pathlib import Path

from dctc.arguments import positive
from dctc.precision import compute_in_float32

WHAT = ("loss", "losses", "linear", "models", "predict", "data", "overfit")
SCALES = ("tiny", "smoke", "small", "paper")


def main(args: list[str] | None = None) -> None:
    """Run one benchmark.

    Args:
        args: Command line without ``dctc bench``; None takes that of the process.
    """
    parser = argparse.ArgumentParser(prog="dctc bench", description=__doc__)
    parser.add_argument("--what", choices=WHAT, default="loss", help="what to measure")
    parser.add_argument(
        "--scale", choices=SCALES, default="smoke", help="how much to time (not: overfit)"
    )
    parser.add_argument(
        "--threads",
        type=positive,
        nargs="+",
        default=[1, 2],
        help="CPU threads (default: 1, then 2); losses, models and predict take the first",
    )
    parser.add_argument(
        "--images",
        type=Path,
        help="predict: folder or LMDB to read (default: images of noise); data: LMDBs of English "
        "words (default: those of the data root)",
    )
    parser.add_argument(
        "--draws", type=positive, help="data: images read while memory is watched (default: few)"
    )
    overfit = parser.add_argument_group("overfit")
    overfit.add_argument("--models", nargs="+", default=[], help="model fragments (default: all)")
    overfit.add_argument("--loss", choices=("ctc", "dctc"), default="ctc")
    overfit.add_argument("--steps", type=positive, default=500, help="at most (default: 500)")
    overfit.add_argument("--width", type=positive, help="pixels (default: the model's)")
    options = parser.parse_args(args)
    compute_in_float32()

    if options.what == "losses":
        from dctc.bench.losses import bench_losses

        bench_losses(options.scale, options.threads[0])
        return
    if options.what == "linear":
        from dctc.bench.linear import bench_linear

        bench_linear(options.scale)
        return
    if options.what == "models":
        from dctc.bench.models import bench_models

        bench_models(options.scale, options.threads[0])
        return
    if options.what == "predict":
        from dctc.bench.predict import bench_predict

        bench_predict(options.scale, options.threads[0], options.images)
        return
    if options.what == "data":
        from dctc.bench.data import bench_data

        bench_data(options.scale, options.images, options.draws)
        return
    if options.what == "overfit":
        from dctc.bench.overfit import bench_overfit

        bench_overfit(options.models, options.loss, options.steps, options.width)
        return
    from dctc.bench.loss import bench_loss

    bench_loss(options.scale, options.threads)
