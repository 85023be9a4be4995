"""``dctc data``: make, convert, list, verify and look at sets of labelled word images."""

from __future__ import annotations

import argparse
import inspect
import os
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from dctc.data.archives.progress import progress_bar
from dctc.data.catalogue import ARCHIVES
from dctc.data.records.folders import ENVIRONMENT_VARIABLE, data_root, find_lmdbs, place_of
from dctc.onnx_files import names_onnx
from dctc.parsers import MODEL, positive
from dctc.tables import Table
from dctc.text.characters import shown
from dctc.text.charset import ASCII, Charset

_EPILOG = """The data root is --root, else the environment variable DCTC_DATA, else ./data. LMDBs as
clovaai, PARSeq and the Chinese benchmark publish them are used as they are. dctc data VERB --help
lists the options of a verb."""
Argument = tuple[str, dict[str, Any]]  # name and options for argparse

# The modules of a verb are imported where it runs, so that help needs none of them


def render(options: Namespace) -> None:
    """Draw words into an LMDB; resumes an interrupted rendering.

    Word i depends on the options and on i alone: not on --workers, nor on where a resumed
    rendering began. Images are stored as PNG, so they are those that training on words drawn on
    the fly sees.
    """
    from dctc.data.archives.render_command import render_words

    render_words(options)


def list_(options: Namespace) -> None:
    """List the sets below the data root, and the missing benchmarks."""
    from dctc.data.archives.listing import list_sets

    usual = not options.root and not os.environ.get(ENVIRONMENT_VARIABLE)
    for table in list_sets(data_root(options.root), usual):
        if table.rows:
            table.print()


def verify(options: Namespace) -> None:
    """Read every record: what is broken, repeated, or in train and test alike.

    Ends with 1 if something is unfinished or broken: a wrong count, an image that does not decode,
    a label that is empty, is not UTF-8 or has characters that cannot be seen, limits of characters
    that do not fit. Images that are byte for byte the same, and labels with private-use characters,
    are only named. What still decodes is not compared with its source: the checksum of data.mdb
    does that.
    """
    from dctc.data.archives import verify as verification

    with progress_bar("records") as show:
        found = verification.verify(_find_sets(options, True), options.workers, show)
    verification.report(found).print()
    if any(one.faults for one in found.values()):
        raise SystemExit(1)


def stats(options: Namespace) -> None:
    """Measure labels and shapes, and count the labels that fit into t frames.

    Ends with 1 if a set cannot be read.
    """
    from dctc.data.archives.stats import measure, stats_table
    from dctc.text import get_protocol

    found = measure(_find_sets(options), get_protocol(options.protocol), options.frames)
    stats_table(found, options.frames, options.protocol).print()
    if any(isinstance(one, str) for one in found.values()):
        raise SystemExit(1)


def doctor(options: Namespace) -> None:
    """Say why a net does not learn a set, and what to do: labels, charset, frames, images.

    A configuration is taken as dctc fit trains it, a trained net as dctc finetune does.
    Ends with 1 if something is found. Large sets are looked at in part.
    """
    from dctc.data.archives.doctor import Target, doctor_report, examine
    from dctc.data.archives.processes import in_processes, refuse
    from dctc.runs.net import find_model, load_net, training_width

    config, weights = find_model(options.model)
    trained = names_onnx(str(options.model)) or bool(weights and weights.is_file())
    loaded, sets = load_net(config, weights if trained else None), _find_sets(options)
    size, protocol = loaded.training_size(), loaded.train_protocol
    charset = loaded.tokenizer.charset
    if trained:  # as dctc finetune has it
        form = getattr(loaded.net, "image_format", None)
        size = loaded.training_size(training_width(form, [*sets.values()], loaded.rotate_tall))
        protocol = "verbatim"
        known = charset.characters
        charset = Charset(known + "".join(c for c in ASCII if c not in known))
    target = Target(
        str(options.model),
        charset,
        protocol,
        size,
        [max(int(loaded.net.frames(pixels)), 1) for pixels in range(size.width + 1)],
        getattr(loaded.net, "max_length", None),
        getattr(loaded.net, "reads_padding", False),
    )
    look = partial(examine, target=target, count=options.count)
    found = [*in_processes(look, sets.values(), 1, refuse)]
    for name, one in zip(sets, found, strict=True):
        doctor_report(name, one, target).print()
    if any(one.found for one in found):
        raise SystemExit(1)


def show(options: Namespace) -> None:
    """Draw a contact sheet: crops with their labels."""
    from dctc.data.archives.processes import in_processes, refuse
    from dctc.data.archives.sheet import check_image_file, contact_sheet, save_sheet

    check_image_file(options.out)
    chosen = {name: getattr(options, name) for name in ("count", "columns", "seed", "fonts")}
    drawn = in_processes(partial(contact_sheet, **chosen), [options.path], 1, refuse)
    ((sheet, undrawn),) = drawn
    save_sheet(sheet, undrawn, options.out)
    print(f"written to {options.out}")


def fonts(options: Namespace) -> None:
    """List the fonts, and why some are not used."""
    from dctc.data.render.fonts import font_report

    rows = [
        [Path(font.path).name, font.family, f"{len(font.characters):,}", font.reason or "used"]
        for font in font_report(options.fonts)
    ]
    Table("Fonts", ["file", "family", "characters", "state"], rows).print()


def convert(options: Namespace) -> None:
    """Convert an official archive to an LMDB; resumes an interrupted conversion."""
    from dctc.data.archives.convert import convert as convert_archive

    names = ("kind", "source", "out", "images", "lenient", "literal_quotes")
    chosen, there = {name: getattr(options, name) for name in names}, Path(options.out).exists()
    with progress_bar("words") as show:
        done = convert_archive(**chosen, advance=show)
    said = "; complete already, nothing was read: remove it to convert anew" if there else ""
    left_out = f"{done.faults.total():,} words left out"
    print(f"{options.out}: {done.records:,} records, {left_out}{said}")


def alphabet(options: Namespace) -> None:
    """Write a charset file: the characters of LMDBs' labels, or the most frequent Chinese ones.

    Give either --labels or --top-k.
    """
    from dctc.data.archives.alphabet import write_alphabet, write_common_characters

    if bool(options.labels) == bool(options.top_k):
        raise ValueError("alphabet: give either --labels or --top-k")
    if options.labels:
        charset = write_alphabet(options.out, options.labels, options.protocol)
    else:
        charset = write_common_characters(options.out, options.top_k)
    unseen = [c for c in charset.characters if shown(c) != c]
    print(
        f"{options.out}: {len(charset):,} characters"
        + (f", of them blank, invisible or combining: {shown(unseen)}" if unseen else "")
    )


def _arg(name: str, help: str, type: Any = None, default: Any = None, **options: Any) -> Argument:
    """Return an argument for argparse; ``nargs``, ``required`` and the like are options."""
    return name, {"help": help, "type": type, "default": default, **options}


_OWN = "those that come with matplotlib"
_ROOT = _arg("--root", "data root")
_WORKERS = _arg("--workers", "processes (default: all cores)", positive, os.cpu_count() or 1)
_FONTS = _arg("--fonts", f"folder of fonts, or system (default: {_OWN})")
_SETS = _arg(
    "paths",
    "LMDB folders, or folders with LMDBs below them (default: the data root)",
    Path,
    nargs="*",
    metavar="PATH",
)
_SEED = _arg("--seed", "seed of what is chosen at random (%(default)s)", int, 0)
_RENDER = [
    _arg("--out", "folder of the LMDB (default: train/rendered_LANGUAGE in the data root)", Path),
    _arg("--count", "words to draw", positive, required=True),
    _arg("--language", "(%(default)s)", default="en", choices=("en", "zh")),
    _arg("--preset", "(%(default)s)", default="scene", choices=("easy", "scene", "document")),
    _SEED,
    _arg(
        "--charset",
        "name or file (en: 36; zh: the --top-k most frequent characters, written to "
        "OUT.charset.txt; the charset of the Chinese benchmark draws all of its characters)",
    ),
    _arg("--top-k", "zh: most frequent characters only (3,500 without charset)", positive),
    _arg(
        "--protocol",
        "decides with the charset what is drawn; labels are stored as they were drawn (without "
        "--charset: english36, chinese_fold; else english36, 62 or 94, or verbatim for a file)",
    ),
    _arg("--words", "python, wordfreq or file (en: python, zh: wordfreq)"),
    _arg("--max-length", "characters (en: 12, zh: 15)", positive),
    _arg("--height", "pixels (%(default)s)", positive, 32),
    _arg("--width", "pixels (en: 128, zh: 256)", positive),
    _arg("--fonts", f"folder of fonts, or system (en: {_OWN}, zh: system)"),
    _ROOT,
    _WORKERS,
]
_KINDS = ", ".join(f"{name} ({archive.source})" for name, archive in ARCHIVES.items())
_LENIENT = (
    "leave out words whose image is missing or unreadable or whose line or label is broken, warned "
    "about and counted, and accept a different number of words"
)
_LITERAL = "table: quotes around labels are on the images, and not those of a spreadsheet"
_CONVERT = [
    _arg("kind", _KINDS, choices=ARCHIVES, metavar="KIND"),
    _arg("source", "the annotation file", Path, metavar="SOURCE"),
    _arg("--out", "folder of the LMDB", Path, required=True),
    _arg("--images", "folder of the images (default: of SOURCE)", Path),
    ("--lenient", {"help": _LENIENT, "action": "store_true"}),
    ("--literal-quotes", {"help": _LITERAL, "action": "store_true"}),
]
_ALPHABET = [
    _arg("--out", "the file", Path, required=True),
    _arg("--labels", "LMDBs, whose labels are read", nargs="+", metavar="PATH"),
    _arg("--top-k", "so many Chinese characters, and digits and small letters", positive),
    _arg("--protocol", "of the labels (%(default)s)", default="verbatim"),
]
_STATS = [
    _arg("--protocol", "applied to labels first (%(default)s)", default="verbatim"),
    _arg("--frames", "t, frames (%(default)s)", positive, 32),
]
_DOCTOR = [
    _arg("--model", f"net to train: a configuration, {MODEL}", required=True, metavar="MODEL"),
    _arg("--count", "records of a set at most (%(default)s)", positive, 20_000),
]
_SHOW = [
    _arg("path", "LMDB folder", Path, metavar="PATH"),
    _arg("--out", "image file to write", Path, required=True),
    _arg("--count", "crops (%(default)s)", positive, 60),
    _arg("--columns", "crops in a row (%(default)s)", positive, 6),
    _SEED,
    _FONTS,
]
# What runs a verb, described by its docstring, and its arguments
VERBS: dict[str, tuple[Callable[[Namespace], None], Sequence[Argument]]] = {
    "render": (render, _RENDER),
    "convert": (convert, _CONVERT),
    "alphabet": (alphabet, _ALPHABET),
    "list": (list_, [_ROOT]),
    "verify": (verify, [_SETS, _ROOT, _WORKERS]),
    "stats": (stats, [_SETS, _ROOT, *_STATS]),
    "doctor": (doctor, [_SETS, _ROOT, *_DOCTOR]),
    "show": (show, _SHOW),
    "fonts": (fonts, [_FONTS]),
}


def main(args: list[str]) -> None:
    """Run one verb of ``dctc data``."""
    description = "Render, convert, list, verify and show sets of labelled word images."
    parser = argparse.ArgumentParser("dctc data", description=description, epilog=_EPILOG)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, (run, arguments) in VERBS.items():
        text = inspect.getdoc(run) or ""
        first = text.partition("\n")[0].rstrip(".")
        one = verbs.add_parser(name, help=first, description=" ".join(text.split()))
        for argument, options in arguments:
            one.add_argument(argument, **options)
    chosen = parser.parse_args(args)
    VERBS[chosen.verb][0](chosen)


def _find_sets(options: Namespace, unfinished: bool = False) -> dict[str, Path]:
    """Return the LMDBs that were asked for, named so that their side of a split shows."""
    root = data_root(options.root)
    sets: dict[str, Path] = {}
    for top in options.paths or [root]:
        if not (found := find_lmdbs(top, unfinished)):
            raise FileNotFoundError(f"{top}: no LMDB (data.mdb) in it or below it")
        for path in found.values():
            whole = path.absolute()
            name = place_of(whole, root).as_posix()
            if sets.get(name, path).absolute() != whole:  # that of another one elsewhere
                name = whole.as_posix()
            sets[name] = path
    return sets
