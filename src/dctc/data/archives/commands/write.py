"""The verbs of ``dctc data`` that write an LMDB or a charset: convert, render, alphabet."""

from __future__ import annotations

import warnings
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dctc.argument_types import positive
from dctc.data.archives.commands.arguments import add_fonts, add_root, add_workers, progress_bar

if TYPE_CHECKING:
    from dctc.data.render.fonts import Font


def convert(parser: ArgumentParser, args: list[str]) -> None:
    """Convert an official archive to an LMDB; a conversion that was cut off goes on."""
    from dctc.data.archives.convert import KINDS
    from dctc.data.archives.convert import convert as convert_archive

    kinds = ", ".join(f"{name} ({kind.source})" for name, kind in KINDS.items())
    parser.add_argument("kind", choices=KINDS, metavar="KIND", help=kinds)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the annotation file")
    parser.add_argument("--out", type=Path, required=True, help="folder of the LMDB")
    parser.add_argument("--images", type=Path, help="folder of the images (default: of SOURCE)")
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="leave out words whose image is missing or unreadable or whose label is broken, "
        "warned about and counted, and take another number of words than the archive has",
    )
    options = parser.parse_args(args)
    with progress_bar("words") as show:
        done = convert_archive(
            options.kind, options.source, options.out, options.images, options.lenient, show
        )
    print(f"{options.out}: {done.records:,} records, {done.faults.total():,} words left out")


def alphabet(parser: ArgumentParser, args: list[str]) -> None:
    """Write a charset file: the characters of LMDBs' labels, or the commonest Chinese ones."""
    parser.add_argument("--out", type=Path, required=True, help="the file")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--labels", nargs="+", metavar="PATH", help="LMDBs, as labels have them")
    source.add_argument(
        "--top-k", type=positive, help="so many Chinese characters, and digits and small letters"
    )
    parser.add_argument("--protocol", default="chinese_fold", help="of the labels (%(default)s)")
    options = parser.parse_args(args)
    from dctc.data.archives.alphabet import write_alphabet, write_common_characters

    if options.labels:
        charset = write_alphabet(options.out, options.labels, options.protocol)
    else:
        charset = write_common_characters(options.out, options.top_k)
    print(f"{options.out}: {len(charset):,} characters")


# What is drawn in each language unless options say otherwise: labels as the recognisers' tests have
# them, lines of up to 15 characters on 32x256 for Chinese (the benchmark's size).
DEFAULTS: dict[str, dict[str, Any]] = {
    "en": {"charset": "36", "protocol": "english36", "words": "python", "width": 128, "length": 12},
    "zh": {
        "protocol": "chinese_fold",
        "words": "wordfreq",
        "width": 256,
        "length": 15,
        "fonts": "system",  # matplotlib has no Chinese ones
    },
}
COMMON = 3500  # characters of level one of the Table of General Standard Chinese Characters (2013)


def render(parser: ArgumentParser, args: list[str]) -> None:
    """Draw words into an LMDB; a rendering that was cut off goes on.

    Word i depends on the options and on i alone: not on --workers, nor on where a resumed
    rendering began. Images are stored as PNG, so they are those that training on words drawn on
    the fly sees.
    """
    where = "folder of the LMDB (default: train/rendered_LANGUAGE in the data root)"
    parser.add_argument("--out", type=Path, help=where)
    parser.add_argument("--count", type=positive, required=True, help="words to draw")
    parser.add_argument("--language", choices=DEFAULTS, default="en", help="(%(default)s)")
    parser.add_argument(
        "--preset", choices=("easy", "scene", "document"), default="scene", help="(%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    what = (
        "name or file (en: 36; zh: the --top-k commonest characters, written to OUT.charset.txt; "
        "give the alphabet of the Chinese benchmark to draw all of its characters)"
    )
    parser.add_argument("--charset", help=what)
    parser.add_argument(
        "--top-k", type=positive, help=f"zh: commonest characters only ({COMMON:,} without charset)"
    )
    protocol = (
        "decides with the charset what is drawn; labels are stored as they were drawn "
        "(english36, chinese_fold)"
    )
    parser.add_argument("--protocol", help=protocol)
    parser.add_argument("--words", help="python, wordfreq or file (en: python, zh: wordfreq)")
    parser.add_argument("--max-length", type=positive, help="characters (en: 12, zh: 15)")
    parser.add_argument("--height", type=positive, default=32, help="pixels (%(default)s)")
    parser.add_argument("--width", type=positive, help="pixels (en: 128, zh: 256)")
    add_fonts(parser, "en: those that come with matplotlib, zh: system")
    add_root(parser)
    add_workers(parser)
    options = parser.parse_args(args)
    from dctc.data.archives.alphabet import write_common_characters
    from dctc.data.records.root import data_root
    from dctc.data.render.chinese_lines import ChineseLines
    from dctc.data.render.rendered_words import RenderedWords
    from dctc.data.render.renderer import WordRenderer
    from dctc.data.render.stored import render_set

    usual = DEFAULTS[options.language]
    out: Path = options.out or data_root(options.root) / "train" / f"rendered_{options.language}"
    charset: str | None = options.charset or usual.get("charset")
    if charset is None:
        file = out.with_name(f"{out.name}.charset.txt")
        if not (file.exists() and _has_records(out)):  # else it belongs to that set
            write_common_characters(file, options.top_k or COMMON)
        charset = str(file)
    fonts = _find_fonts(options.fonts, usual.get("fonts"))
    size = options.height, options.width or usual["width"]
    words = RenderedWords(
        "train",
        options.count,
        WordRenderer(fonts, *size, options.preset),
        charset=charset,
        protocol=options.protocol or usual["protocol"],
        seed=options.seed,
        max_length=options.max_length or usual["length"],
        language=options.language,
        words=options.words or usual["words"],
        top_k=options.top_k,
    )
    if isinstance(words.words, ChineseLines):
        print(_described(words.words.characters, words.left_out))
    with progress_bar("words", options.count) as show:
        done = render_set(words, out, options.workers, show)
    print(f"{out}: {done.records:,} records")


def _has_records(out: Path) -> bool:
    """Say whether a set, finished or cut off, has records."""
    from dctc.data.records.claim import committed
    from dctc.data.records.root import PARTIAL

    partial = out.with_name(f"{out.name}{PARTIAL}")
    return (out / "data.mdb").is_file() or committed(partial).taken > 0


def _find_fonts(asked: str | None, usual: str | None) -> list[Font]:
    """Return the fonts that were asked for, or the usual ones; without those, matplotlib's."""
    from dctc.data.render.fonts import find_fonts

    if asked is not None or usual is None:
        return find_fonts(asked)
    try:
        return find_fonts(usual)
    except ValueError as error:
        warnings.warn(f"{error}; drawn with the fonts of matplotlib", stacklevel=2)
        return find_fonts()


def _described(characters: Sequence[str], left_out: str) -> str:
    from dctc.data.render.corpora import is_chinese

    chinese = sum(map(is_chinese, characters))
    said = f"draws {len(characters):,} characters, {chinese:,} of them Chinese"
    return f"{said}; {len(left_out):,} are in no font: recipe.json has them" if left_out else said
