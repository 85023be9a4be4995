"""The verbs of ``dctc data`` that write an LMDB: convert, render."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from dctc.arguments import positive
from dctc.data.commands.arguments import add_fonts, add_workers, progress_bar


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


def render(parser: ArgumentParser, args: list[str]) -> None:
    """Draw words into an LMDB; a rendering that was cut off goes on.

    Word i depends on the options and on i alone: not on --workers, nor on where a resumed
    rendering began. Images are stored as PNG, so they are those that training on words drawn on
    the fly sees.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder of the LMDB")
    parser.add_argument("--count", type=positive, required=True, help="words to draw")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="(%(default)s)")
    parser.add_argument(
        "--preset", choices=("easy", "scene", "document"), default="easy", help="(%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--charset", default="36", help="name or file (%(default)s)")
    parser.add_argument(
        "--protocol",
        default="english36",
        help="decides with the charset what is drawn; labels "
        "are stored as they were drawn (%(default)s)",
    )
    parser.add_argument("--words", default="python", help="python, wordfreq or file (%(default)s)")
    parser.add_argument("--max-length", type=positive, default=12, help="(%(default)s)")
    parser.add_argument("--height", type=positive, default=32, help="pixels (%(default)s)")
    parser.add_argument("--width", type=positive, default=128, help="pixels (%(default)s)")
    add_fonts(parser)
    add_workers(parser)
    options = parser.parse_args(args)
    from dctc.data.fonts import find_fonts
    from dctc.data.prerender import render_set
    from dctc.data.render import WordRenderer
    from dctc.data.rendered_words import RenderedWords

    fonts = find_fonts(options.fonts)
    renderer = WordRenderer(fonts, options.height, options.width, options.preset)
    words = RenderedWords(
        "train",
        options.count,
        renderer,
        charset=options.charset,
        protocol=options.protocol,
        seed=options.seed,
        max_length=options.max_length,
        language=options.language,
        words=options.words,
    )
    with progress_bar("words", options.count) as show:
        done = render_set(words, options.out, options.workers, show)
    print(f"{options.out}: {done.records:,} records")
