"""``dctc data render``: draw words into an LMDB."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from dctc.data.archives.alphabet import write_common_characters
from dctc.data.archives.progress import progress_bar
from dctc.data.records.folders import PARTIAL, data_root
from dctc.data.records.provenance import committed
from dctc.data.render.chinese_lines import ChineseLines
from dctc.data.render.corpora import is_chinese
from dctc.data.render.fonts import find_fonts
from dctc.data.render.rendered_words import RenderedWords
from dctc.data.render.renderer import WordRenderer
from dctc.data.render.stored import render_set

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


def render_words(options: Namespace) -> None:
    """Draw words into an LMDB, see :func:`dctc.data.archives.commands.render`."""
    usual = DEFAULTS[options.language]
    out: Path = options.out or data_root(options.root) / "train" / f"rendered_{options.language}"
    charset: str | None = options.charset or usual.get("charset")
    if charset is None:
        file = out.with_name(f"{out.name}.charset.txt")
        if not (file.exists() and _has_records(out)):  # else it belongs to that set
            write_common_characters(file, options.top_k or COMMON)
        charset = str(file)
    size = options.height, options.width or usual["width"]
    words = RenderedWords(
        "train",
        options.count,
        WordRenderer(find_fonts(options.fonts or usual.get("fonts")), *size, options.preset),
        charset=charset,
        protocol=options.protocol or (None if options.charset else usual["protocol"]),
        seed=options.seed,
        max_length=options.max_length or usual["length"],
        language=options.language,
        words=options.words or usual["words"],
        top_k=options.top_k,
    )
    if isinstance(words.words, ChineseLines):
        drawn = words.words.characters
        chinese = sum(map(is_chinese, drawn))
        left_out = f"; {len(words.left_out):,} are in no font: recipe.json has them"
        print(
            f"draws {len(drawn):,} characters, {chinese:,} of them Chinese"
            f"{left_out if words.left_out else ''}"
        )
    with progress_bar("words", options.count) as show:
        done = render_set(words, out, options.workers, show)
    print(f"{out}: {done.records:,} records")


def _has_records(out: Path) -> bool:
    """Say whether a set, finished or cut off, has records."""
    partial = out.with_name(f"{out.name}{PARTIAL}")
    return (out / "data.mdb").is_file() or committed(partial).taken > 0
