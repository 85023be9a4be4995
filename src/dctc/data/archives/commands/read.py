"""The verbs of ``dctc data`` that only read: list, verify, stats, show, fonts."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from rich.console import Console

from dctc.argument_types import positive
from dctc.data.archives.commands.arguments import (
    add_fonts,
    add_root,
    add_sets,
    add_workers,
    find_sets,
    progress_bar,
)


def list_(parser: ArgumentParser, args: list[str]) -> None:
    """List the sets below the data root, and what is missing from it."""
    add_root(parser)
    options = parser.parse_args(args)
    from dctc.data.catalogue import list_sets
    from dctc.data.records.root import data_root

    for table in list_sets(data_root(options.root)):
        if table.rows:
            table.print(Console())


def verify(parser: ArgumentParser, args: list[str]) -> None:
    """Read every record: what is broken, repeated, or alike in train and test.

    Ends with 1 if something is unfinished or broken: a wrong count, an image that does not decode,
    a label that is empty, has control characters or is not UTF-8, limits of characters that do not
    fit. Repeats and look-alikes are only named.
    """
    add_sets(parser)
    add_workers(parser)
    options = parser.parse_args(args)
    from dctc.data.archives import verify as verification

    with progress_bar("records") as show:
        found = verification.verify(
            find_sets(options, unfinished=True),
            options.workers,
            lambda name, done, of: show(done, what=name, total=of),
        )
    verification.report(found).print(Console())
    if any(one.faults for one in found.values()):
        raise SystemExit(1)


def stats(parser: ArgumentParser, args: list[str]) -> None:
    """Measure labels and shapes, and count the labels that fit into t frames."""
    add_sets(parser)
    parser.add_argument(
        "--protocol", default="verbatim", help="applied to labels first (%(default)s)"
    )
    parser.add_argument("--frames", type=positive, default=32, help="t, frames (%(default)s)")
    options = parser.parse_args(args)
    from dctc.data.archives.stats import set_stats, stats_table
    from dctc.text import get_protocol

    protocol = get_protocol(options.protocol)
    found = {n: set_stats(p, protocol, options.frames) for n, p in find_sets(options).items()}
    stats_table(found, options.frames, options.protocol).print(Console())


def show(parser: ArgumentParser, args: list[str]) -> None:
    """Draw a contact sheet: crops with their labels."""
    parser.add_argument("path", type=Path, metavar="PATH", help="LMDB folder")
    parser.add_argument("--out", type=Path, required=True, help="image file to write")
    parser.add_argument("--count", type=positive, default=60, help="crops (%(default)s)")
    parser.add_argument(
        "--columns", type=positive, default=6, help="beside each other (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice (%(default)s)")
    add_fonts(parser)
    options = parser.parse_args(args)
    from dctc.data.archives.sheet import check_image_file, contact_sheet

    check_image_file(options.out)
    sheet, undrawn = contact_sheet(
        options.path, options.count, options.columns, options.seed, options.fonts
    )
    sheet.save(options.out)
    if undrawn:
        print(f"{undrawn} labels are shown by their code points: no font has them (--fonts)")
    print(f"written to {options.out}")


def fonts(parser: ArgumentParser, args: list[str]) -> None:
    """List the fonts, and why some are not used."""
    add_fonts(parser)
    options = parser.parse_args(args)
    from dctc.data.render.fonts import font_report
    from dctc.results.tables import Table

    rows = [
        [file.name, face.family, f"{len(face.characters):,}", face.reason or "used"]
        for file, face in font_report(options.fonts)
    ]
    Table("Fonts", ["file", "family", "characters", "state"], rows).print(Console())
