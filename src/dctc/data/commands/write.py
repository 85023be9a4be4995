"""The verbs of ``dctc data`` that write an LMDB: convert, render."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from dctc.data.commands.arguments import progress_bar


def convert(parser: ArgumentParser, args: list[str]) -> None:
    """Convert an official archive to an LMDB; a conversion that was cut off goes on."""
    from dctc.data.convert import KINDS
    from dctc.data.convert import convert as convert_archive

    kinds = ", ".join(f"{name} ({kind.source})" for name, kind in KINDS.items())
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=kinds)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the annotation file")
    parser.add_argument("--out", type=Path, required=True, help="folder of the LMDB")
    parser.add_argument("--images", type=Path, help="folder of the images (default: of SOURCE)")
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="leave out images that are missing or unreadable, each warned about and counted, and "
        "take another number of words than the benchmark has",
    )
    options = parser.parse_args(args)
    with progress_bar("words") as show:
        done = convert_archive(
            options.kind, options.source, options.out, options.images, options.lenient, show
        )
    print(f"{options.out}: {done.records:,} records, {done.faults.total():,} words left out")
